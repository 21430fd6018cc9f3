/**
 * `npm run soak [-- --minutes 10 --target s3|local --seed N --writers 2 --write]`: processes back up, restore and prune on
 * one repository at once, and are killed at random moments; then everything is looked at. Exit code 1: something was lost
 * or is not exact. Everything is in one temporary folder (and one bucket), removed at the end unless something is wrong.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startS3, type TestS3 } from '../test/servers/s3.ts'
import { type Ground, localGround, s3Ground } from './soak/ground.ts'
import { actorsOf, LONG } from './soak/plans.ts'
import { report, writeReport } from './soak/report.ts'
import { soak } from './soak/soak.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string', default: 's3' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    writers: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  const { target } = values
  const [minutes, seed, writers] = [Number(values.minutes), Number(values.seed), Number(values.writers)]
  if ((target !== 's3' && target !== 'local') || !(minutes > 0) || !(writers >= 1) || !Number.isInteger(seed)) {
    throw new Error('npm run soak -- [--minutes 10] [--target s3|local] [--seed 1] [--writers 2] [--write]')
  }
  const command = `npm run soak -- --minutes ${minutes} --target ${target} --seed ${seed} --writers ${writers}`
  console.log(command)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'))
  const server = target === 's3' ? await startS3() : undefined
  const ground = await groundOf(server, folder)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)))
  let isToKeep = false
  try {
    const ms = minutes * 60_000
    const result = await soak({
      ...LONG,
      ground,
      folder,
      seed,
      actors: actorsOf(writers),
      atLeast: { ms, kills: 0, restores: 0 },
      atMostMs: ms,
      say: (text) => console.log(text),
      signal: stop.signal,
    })
    const text = report(command, ground.name, result)
    console.log(text)
    isToKeep = result.problems.length > 0
    if (values.write && !isToKeep) writeReport(`soak ${target}`, text)
  } finally {
    if (isToKeep) {
      const repository = await ground.keep(join(folder, 'repository'))
      console.log(`Seed ${seed}. The repository is in ${repository}, and what each process did in ${folder}/actors`)
      process.exitCode = 1
    }
    if (!isToKeep || target === 's3') await ground.remove()
    if (!isToKeep) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    await server?.stop()
  }
}

async function groundOf(server: TestS3 | undefined, folder: string): Promise<Ground> {
  return server === undefined ? localGround(join(folder, 'repository')) : await s3Ground(server)
}

await main()
