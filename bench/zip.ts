/**
 * Carrying a snapshot out as a ZIP beside `zip`, 7z and Python's zipfile, which read the files themselves:
 * `npm run bench:zip -- [--sets media,mixed,small,million] [--rounds N] [--peers zip,7z,python] [--dir FOLDER] [--json FILE]`.
 * Nothing is compressed (level 0). BENCH_DIST names the folder of another build than ./dist. The data
 * and the repositories stay in the folder for the next time.
 */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { positive } from './data.ts'
import { describeMachine, ensureBuilt, measureTree, requireSpace } from './machine.ts'
import { type Command, measure, outputOf, type Usage } from './measure.ts'
import { describeCpu, table } from './table.ts'
import { ABOUT, prepareSet, SETS, type SetName } from './zip/sets.ts'

const { values } = parseArgs({
  options: {
    sets: { type: 'string', default: SETS.join(',') },
    rounds: { type: 'string', default: '3' },
    peers: { type: 'string', default: 'zip,7z,python' },
    dir: { type: 'string', default: '.bench' },
    json: { type: 'string' },
  },
})
const rounds = positive('rounds', values.rounds)
const sets = values.sets.split(',').map((name): SetName => {
  const set = SETS.find((known) => known === name)
  if (set === undefined) throw new Error(`--sets: ${name} is none of ${SETS.join(', ')}`)
  return set
})
const CHILD = fileURLToPath(new URL('./zip/child.mjs', import.meta.url))
const PYTHON = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_STORED) as out:
    for folder, _, names in sorted(os.walk(sys.argv[2])):
        for name in (name for name in sorted(names) if not os.path.islink(os.path.join(folder, name))):
            out.write(os.path.join(folder, name))
`

interface Peer {
  readonly name: string
  readonly version: () => Promise<string | undefined>
  readonly command: (out: string, data: string) => Command
}

const PEERS: readonly Peer[] = [
  {
    name: 'zip',
    version: () => outputOf('zip', '-h'),
    command: (out, data) => ({ file: 'zip', args: ['-q', '-0', '-y', '-r', out, '.'], cwd: data }),
  },
  {
    name: '7z',
    version: () => outputOf('7z', 'i'),
    command: (out, data) => ({ file: '7z', args: ['a', '-bd', '-tzip', '-mx=0', out, '.'], cwd: data }),
  },
  {
    name: 'python',
    version: () => outputOf('python3', '--version'),
    command: (out, data) => ({ file: 'python3', args: ['-c', PYTHON, out, '.'], cwd: data }),
  },
]

interface Row {
  readonly set: SetName | 'idle'
  readonly program: string
  readonly usage: Usage
  readonly bytes: number
}

const place = resolve(values.dir)
mkdirSync(place, { recursive: true })
const machine = await describeMachine(place)
if (!process.env.BENCH_DIST) ensureBuilt()
const wanted = values.peers.split(',')
const peers: Peer[] = []
for (const peer of PEERS) if (wanted.includes(peer.name) && (await peer.version()) !== undefined) peers.push(peer)

async function repositoryOf(set: SetName, data: string): Promise<string> {
  const repository = join(place, `zip-repository-${set}`)
  const whole = `${repository}.whole`
  if (existsSync(whole)) return repository
  rmSync(repository, { recursive: true, force: true })
  await measure({ file: process.execPath, args: [CHILD, 'backup', data], env: { BENCH_REPOSITORY: repository } })
  writeFileSync(whole, '')
  return repository
}

async function export_(set: SetName, repository: string): Promise<Row> {
  const out = join(place, 'export.zip')
  rmSync(out, { force: true })
  const args = [CHILD, 'export', out, '0']
  const usage = await measure({ file: process.execPath, args, env: { BENCH_REPOSITORY: repository } })
  return { set, program: 'holdfast', usage, bytes: statSync(out).size }
}

/** Holdfast syncs what it has written before it gives it its name, so its peers' output is synced as well. */
async function pack(set: SetName, peer: Peer, data: string): Promise<Row> {
  const out = join(place, 'export.zip')
  rmSync(out, { force: true })
  const { file, args, cwd } = peer.command(out, data)
  const script = '"$@" && sync "$OUT"'
  const command = { file: 'sh', args: ['-c', script, 'sh', file, ...args], env: { OUT: out }, ...(cwd && { cwd }) }
  return { set, program: peer.name, usage: await measure(command), bytes: statSync(out).size }
}

async function roundsOf(set: SetName): Promise<Row[]> {
  console.error(`preparing: ${set}`)
  const data = resolve(prepareSet(set, place))
  await requireSpace(place, measureTree(data).bytes * 2.2)
  const repository = await repositoryOf(set, data)
  const rows: Row[] = []
  for (let round = 0; round < rounds; round++) {
    rows.push(await export_(set, repository))
    for (const peer of peers) rows.push(await pack(set, peer, data))
    console.error(`${set}: round ${round + 1} of ${rounds}`)
  }
  const idle = await measure({ file: process.execPath, args: [CHILD, 'idle'], env: { BENCH_REPOSITORY: repository } })
  rows.push({ set: 'idle', program: 'holdfast', usage: idle, bytes: 0 })
  return rows
}

const median = (all: readonly number[]): number =>
  [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN

function cellsOf(rows: readonly Row[], set: SetName): string[][] {
  return ['holdfast', ...peers.map(({ name }) => name)].map((program) => {
    const mine = rows.filter((row) => row.set === set && row.program === program)
    const ms = median(mine.map(({ usage }) => usage.wallMs))
    const bytes = mine[0]?.bytes ?? 0
    const peak = Math.max(...mine.map(({ usage }) => usage.peakBytes ?? Number.NaN)) / 1e6
    const cpu = median(mine.map(({ usage }) => usage.cpuMs ?? Number.NaN)) / 1000
    const name = program === 'holdfast' ? `${set}: ${ABOUT[set]}` : ''
    return [
      name,
      program,
      `${(ms / 1000).toFixed(1)} s`,
      `${(bytes / 1000 / ms).toFixed(0)} MB/s`,
      `${cpu.toFixed(1)} s`,
      `${peak.toFixed(0)} MB`,
    ]
  })
}

const rows: Row[] = []
for (const set of sets) rows.push(...(await roundsOf(set)))
rmSync(join(place, 'export.zip'), { force: true })
const idle =
  Math.max(...rows.filter(({ set }) => set === 'idle').map(({ usage }) => usage.peakBytes ?? Number.NaN)) / 1e6
console.log(`- Machine: ${describeCpu(machine)}; Node ${machine.node}`)
console.log(`- An engine that has looked at a snapshot and does nothing: ${idle.toFixed(0)} MB`)
console.log(`- Medians of ${rounds} rounds, memory the highest; whole processes, written and synced\n`)
console.log(
  table(
    ['Set', 'program', 'took', 'speed', 'CPU', 'peak memory'],
    sets.flatMap((set) => cellsOf(rows, set)),
  ),
)
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
