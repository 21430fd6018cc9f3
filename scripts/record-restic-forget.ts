/**
 * Asks restic which of generated snapshots it would forget, and keeps the answers as golden files for
 * test/engine/retention/restic.test.ts, which so needs no restic. Takes a few minutes, for each snapshot is a call:
 *
 *   node scripts/record-restic-forget.ts [list …]
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LISTS } from '../test/engine/retention/lists.ts'
import { RESTIC_LISTS, type Recorded, type ResticList } from '../test/engine/retention/restic-cases.ts'

const OUT = join(import.meta.dirname, '..', 'test', 'engine', 'retention', 'restic')

interface ResticGroup {
  keep: { time: string; hostname: string }[] | null
}

function record(name: ResticList): Recorded {
  const { timeZone, cases } = RESTIC_LISTS[name]
  const work = mkdtempSync(join(tmpdir(), 'holdfast-restic-'))
  const env = { ...process.env, RESTIC_PASSWORD: 'x', RESTIC_REPOSITORY: join(work, 'repository') }
  const restic = (args: readonly string[], TZ = timeZone): string =>
    execFileSync('restic', ['--no-cache', ...args], { env: { ...env, TZ }, encoding: 'utf8' })
  try {
    writeFileSync(join(work, 'file'), 'content')
    restic(['init'])
    for (const { createdAt, host, tags } of LISTS[name]) {
      const zone = fixedZone(createdAt, timeZone)
      const facts = ['--time', wallTime(createdAt, zone), '--host', host, ...tags.flatMap((tag) => ['--tag', tag])]
      restic(['backup', ...facts, join(work, 'file')], zone)
    }
    checkTimes(JSON.parse(restic(['snapshots', '--json'])), LISTS[name])
    const kept = cases.map(({ flags }) => [flags.join(' '), ask(restic, flags)] as const)
    return { restic: restic(['version']).split(' ')[1]!, timeZone, kept: Object.fromEntries(kept) }
  } finally {
    rmSync(work, { recursive: true })
  }
}

function ask(restic: (args: readonly string[]) => string, flags: readonly string[]): string[] {
  const groups = JSON.parse(restic(['forget', '--dry-run', '--json', ...flags])) as ResticGroup[]
  const kept = groups.flatMap(({ keep }) => keep ?? [])
  return kept.map(({ time, hostname }) => `${new Date(time).toISOString()} ${hostname}`).sort()
}

/** A zone that always has the clocks of `timeZone` at that moment: `--time` alone cannot name an hour that comes twice. */
function fixedZone(at: Date, timeZone: string): string {
  const ahead = Math.round((Date.parse(`${wallTime(at, timeZone)}Z`) - at.getTime()) / 3_600_000)
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
}

function wallTime(at: Date, timeZone: string): string {
  return at.toLocaleString('sv-SE', { timeZone })
}

/** restic has understood each time as it was meant. */
function checkTimes(found: { time: string }[], wanted: readonly { createdAt: Date }[]): void {
  const times = new Set(found.map(({ time }) => Date.parse(time)))
  const lost = wanted.filter(({ createdAt }) => !times.has(createdAt.getTime()))
  if (lost.length > 0)
    throw new Error(`restic has other times: ${lost.map(({ createdAt }) => createdAt.toISOString())}`)
}

const names =
  process.argv.length > 2 ? (process.argv.slice(2) as ResticList[]) : (Object.keys(RESTIC_LISTS) as ResticList[])
mkdirSync(OUT, { recursive: true })
for (const name of names) writeFileSync(join(OUT, `${name}.json`), `${JSON.stringify(record(name), null, 2)}\n`)
