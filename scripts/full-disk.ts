/**
 * `npm run soak:disk [-- --kills 100 --far 6 --fills 8 --megabytes 256 --seed N --sum FILE --write]`: backups and restores are killed at
 * random and made again, to see what is done twice; and small disks fill up under everything. Exit code 1: something is lost, not
 * exact, half-written, or does not go on. `--sum`: adds up what several calls have found, in that file. Needs the right to mount (root). Everything is in one temporary folder, and one bucket.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startS3 } from '../test/servers/s3.ts'
import { fillDisks, type Round } from './full-disk/full.ts'
import { addKills, type KillResult, killAtRandom, NO_KILLS } from './full-disk/kills.ts'
import { type Found, reportDisks } from './full-disk/report.ts'
import { type Ground, localGround, s3Ground } from './soak/ground.ts'
import { writeReport } from './soak/report.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    far: { type: 'string', default: '6' },
    fills: { type: 'string', default: '8' },
    megabytes: { type: 'string', default: '256' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    sum: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})

const MIB = 2 ** 20
const DISKS_MIB = [64, 96, 128, 200]

let isOver = false
process.once('SIGTERM', () => {
  isOver = true
})

async function main(): Promise<void> {
  const [kills, far, fills] = [Number(values.kills), Number(values.far), Number(values.fills)]
  const [megabytes, seed] = [Number(values.megabytes), Number(values.seed)]
  const command = `npm run soak:disk -- --kills ${kills} --far ${far} --fills ${fills} --megabytes ${megabytes} --seed ${seed}`
  console.log(command)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-disk-'))
  const say = (text: string): void => console.log(`${Math.round(performance.now() / 1000)} s: ${text}`)
  try {
    const killed = async (ground: Ground, count: number): Promise<KillResult> => {
      const own = join(folder, 'kills')
      mkdirSync(own, { recursive: true })
      return await killAtRandom({
        folder: own,
        seed,
        ground,
        bytes: megabytes * MIB,
        rounds: Math.ceil(count / 2),
        say,
        isOver: () => isOver,
      })
    }
    const near = kills > 0 ? await killed(localGround(join(folder, 'repository')), kills) : NO_KILLS
    rmSync(join(folder, 'repository'), { recursive: true, force: true })
    const away = far > 0 ? await inBucket((ground) => killed(ground, far)) : NO_KILLS
    const rounds: Round[] = []
    for (let n = 0; n < fills && !isOver; n++) {
      const diskBytes = DISKS_MIB[n % DISKS_MIB.length]! * MIB
      rounds.push(...(await fillDisks({ folder, seed: seed + n, diskBytes, rounds: 1, say })))
    }
    const found = summed({ near, away, rounds }, values.sum)
    const added = `npm run soak:disk -- --megabytes ${megabytes} --sum FILE   # in several calls, each with a seed of its own`
    const text = reportDisks({ command: values.sum === undefined ? command : added, megabytes, ...found })
    console.log(text)
    const problems = [found.near, found.away, ...found.rounds].flatMap((each) => each.problems)
    if (problems.length > 0) process.exitCode = 1
    else if (values.write) writeReport('soak disk', text)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** With what is in the file, which has the sum afterwards. */
function summed(found: Found, file: string | undefined): Found {
  if (file === undefined) return found
  const before: Found = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { near: NO_KILLS, away: NO_KILLS, rounds: [] }
  const sum = {
    near: addKills(before.near, found.near),
    away: addKills(before.away, found.away),
    rounds: [...before.rounds, ...found.rounds],
  }
  writeFileSync(file, JSON.stringify(sum))
  return sum
}

async function inBucket<T>(body: (ground: Ground) => Promise<T>): Promise<T> {
  const server = await startS3()
  const ground = await s3Ground(server)
  try {
    return await body(ground)
  } finally {
    await ground.remove()
    await server.stop()
  }
}

await main()
