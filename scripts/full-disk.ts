/**
 * `npm run soak:disk [-- --kills 100 --far 6 --fills 8 --megabytes 256 --seed N --write]`: backups and restores are killed at
 * random and made again, to see what is done twice; and small disks fill up under everything. Exit code 1: something is lost, not
 * exact, half-written, or does not go on. Needs the right to mount (root). Everything is in one temporary folder, and one bucket.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startS3 } from '../test/servers/s3.ts'
import { fillDisks } from './full-disk/full.ts'
import { type KillResult, killAtRandom } from './full-disk/kills.ts'
import { reportDisks } from './full-disk/report.ts'
import { type Ground, localGround, s3Ground } from './soak/ground.ts'
import { writeReport } from './soak/report.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    far: { type: 'string', default: '6' },
    fills: { type: 'string', default: '8' },
    megabytes: { type: 'string', default: '256' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    write: { type: 'boolean', default: false },
  },
})

const MIB = 2 ** 20
const DISKS_MIB = [64, 96, 128, 200]

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
      })
    }
    const near = await killed(localGround(join(folder, 'repository')), kills)
    rmSync(join(folder, 'repository'), { recursive: true, force: true })
    const away = far > 0 ? await inBucket((ground) => killed(ground, far)) : undefined
    const rounds = []
    for (let n = 0; n < fills; n++) {
      const diskBytes = DISKS_MIB[n % DISKS_MIB.length]! * MIB
      rounds.push(...(await fillDisks({ folder, seed: seed + n, diskBytes, rounds: 1, say })))
    }
    const text = reportDisks({ command, megabytes, near, away, rounds })
    console.log(text)
    const problems = [near, ...(away ? [away] : []), ...rounds].flatMap((each) => each.problems)
    if (problems.length > 0) process.exitCode = 1
    else if (values.write) writeReport('soak disk', text)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
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
