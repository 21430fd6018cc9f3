/**
 * One verb of the built package in a process of its own: `node bench/holdfast-cli.ts init | backup FOLDER |
 * backup-open FOLDER | restore FOLDER | verify`, with BENCH_PASSPHRASE in the environment, and BENCH_REPOSITORY (a folder)
 * or BENCH_S3 (options of `s3Target` in JSON). BENCH_DIST names the folder of another build than ./dist.
 */
import { pathToFileURL } from 'node:url'

const DIST = process.env.BENCH_DIST ? pathToFileURL(`${process.env.BENCH_DIST}/`) : new URL('../dist/', import.meta.url)
const { BackupEngine, filesystem, localTarget, passphrase, workerPool } = (await import(
  new URL('index.js', DIST).href
)) as typeof import('../src/index.ts')
type Target = ReturnType<typeof localTarget>
type Engine = Awaited<ReturnType<typeof BackupEngine.open>>

const REPEATS = 5

/** As the documentation says for scripts: the threads start while the passphrase becomes a key. `init` needs none. */
const workers = workerPool({ eager: process.argv[2] !== 'init' })

async function openTarget(): Promise<Target> {
  const options = process.env.BENCH_S3
  if (!options) return localTarget(process.env.BENCH_REPOSITORY ?? '')
  const { s3Target } = (await import(new URL('s3.js', DIST).href)) as typeof import('../src/targets/s3/index.ts')
  return s3Target(JSON.parse(options) as Parameters<typeof s3Target>[0])
}

async function open(data?: string): Promise<Engine> {
  return await BackupEngine.open({
    target: await openTarget(),
    key: passphrase(process.env.BENCH_PASSPHRASE),
    sources: data === undefined ? [] : [filesystem({ name: 'data', path: data })],
    workers,
  })
}

/** The first backup warms the engine up (workers, index); it is not reported. */
async function backupOpen(engine: Engine): Promise<void> {
  await engine.backup()
  for (let i = 0; i < REPEATS; i++) {
    const cpu = process.cpuUsage()
    const started = performance.now()
    await engine.backup()
    const wallMs = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    console.log(JSON.stringify({ wallMs, cpuMs: (user + system) / 1000 }))
  }
}

async function restore(engine: Engine, folder: string): Promise<void> {
  await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder } }))
}

async function verify(engine: Engine): Promise<void> {
  const result = await engine.verify({ level: 'data', snapshots: 'all' })
  if (!result.sound) throw new Error(`not sound: ${JSON.stringify(result.findings.slice(0, 5))}`)
}

const [verb, folder = ''] = process.argv.slice(2)
const engine = await open(verb?.startsWith('backup') ? folder : undefined)
try {
  if (verb === 'backup') await engine.backup()
  else if (verb === 'backup-open') await backupOpen(engine)
  else if (verb === 'restore') await restore(engine, folder)
  else if (verb === 'verify') await verify(engine)
  else if (verb !== 'init') throw new Error(`unknown verb: ${verb}`)
} finally {
  await engine.close()
  await workers.close()
}
