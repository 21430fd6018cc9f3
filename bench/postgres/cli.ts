/**
 * One verb of the built package in a process of its own: `node bench/postgres/cli.ts init | backup | backup-xmin |
 * restore SNAPSHOT DATABASE`, with BENCH_REPOSITORY, BENCH_PASSPHRASE, BENCH_URL (of the database) and BENCH_BIN in the
 * environment. Its last line is a CliResult.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The folder of another build, to compare two. */
const DIST = pathToFileURL(process.env.BENCH_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url))).href
const load = (file: string): Promise<unknown> => import(`${DIST}/${file}`)
const { BackupEngine, localTarget, passphrase, workerPool } = (await load(
  'index.js',
)) as typeof import('../../src/index.ts')
const { postgres, postgresSink } = (await load('postgres.js')) as typeof import('../../src/sources/postgres/index.ts')

export interface CliResult {
  readonly snapshot?: string
  /** Bytes of content the repository did not have, before compression. */
  readonly newBytes?: number
  readonly sourceBytes?: number
  readonly loopP99Ms: number
}

/** Node counts it as part of every delay, so it is taken off again. */
const RESOLUTION_MS = 5
const { BENCH_REPOSITORY = '', BENCH_PASSPHRASE, BENCH_URL = '', BENCH_BIN = '' } = process.env
const [verb, snapshot = '', database = ''] = process.argv.slice(2)

function source(): ReturnType<typeof postgres> {
  const options = { name: 'db', connectionString: BENCH_URL, binDir: BENCH_BIN }
  return postgres(verb === 'backup-xmin' ? { ...options, incremental: 'xmin' } : options)
}

async function work(engine: Awaited<ReturnType<typeof BackupEngine.open>>): Promise<Partial<CliResult>> {
  if (verb === 'init') return {}
  if (verb === 'restore') {
    const sink = postgresSink({ connectionString: BENCH_URL, database, strategy: 'new-database' })
    await engine.restore(await engine.planRestore({ snapshot, to: { sinks: { db: sink } } }))
    return {}
  }
  const { snapshot: made, counts } = await engine.backup()
  return { snapshot: made.id, newBytes: counts.newBytes, sourceBytes: counts.sourceBytes }
}

const sources = verb?.startsWith('backup') ? [source()] : []
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
loop.enable()
// As a script does that uses its engine at once.
await using pool = workerPool({ eager: true })
const engine = await BackupEngine.open({
  workers: pool,
  target: localTarget(BENCH_REPOSITORY),
  key: passphrase(BENCH_PASSPHRASE),
  sources,
})
try {
  const result = await work(engine)
  loop.disable()
  const loopP99Ms = Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS)
  console.log(JSON.stringify({ ...result, loopP99Ms } satisfies CliResult))
} finally {
  await engine.close()
}
