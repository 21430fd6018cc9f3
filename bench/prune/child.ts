/**
 * One process that forgets every snapshot but the newest and prunes, with BENCH_REPOSITORY and BENCH_PASSPHRASE in the
 * environment; BENCH_DIST names the folder of another build than ./dist. Prints one line of JSON.
 */
import { pathToFileURL } from 'node:url'

const DIST = process.env.BENCH_DIST
  ? pathToFileURL(`${process.env.BENCH_DIST}/`)
  : new URL('../../dist/', import.meta.url)
const { BackupEngine, localTarget, passphrase, workerPool } = (await import(
  new URL('index.js', DIST).href
)) as typeof import('../../src/index.ts')
type Engine = Awaited<ReturnType<typeof BackupEngine.open>>

const phases: Record<string, number> = {}

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now()
  try {
    return await work()
  } finally {
    phases[name] = Math.round((phases[name] ?? 0) + performance.now() - started)
  }
}

/** Milliseconds of each phase of the prune, as near as its progress tells, which is given ten times a second. */
function watchPhases(engine: Engine): () => void {
  let [phase, since] = ['', performance.now()]
  const change = (next: string): void => {
    const now = performance.now()
    const name = `prune: ${phase}`
    if (phase !== '') phases[name] = Math.round((phases[name] ?? 0) + now - since)
    ;[phase, since] = [next, now]
  }
  engine.on('prune:progress', ({ phase: next }) => {
    if (next !== phase) change(next)
  })
  return () => change('')
}

async function forgetAndPrune(engine: Engine): Promise<void> {
  const [, ...old] = await engine.snapshots().toArray()
  await timed('forget', async () => {
    const plan = await engine.planForget({ snapshots: old.map(({ id }) => id) })
    await engine.forget(plan, { confirm: plan.digest })
  })
  const plan = await timed('plan', () => engine.planPrune({ keepDeletedMs: 0 }))
  const end = watchPhases(engine)
  const result = await timed('prune', () => engine.prune(plan, { confirm: plan.digest }))
  end()
  if (result.state !== 'done') throw new Error(`not pruned: ${JSON.stringify(result)}`)
  const { freedBytes, deleted, rewritten } = result
  console.log(JSON.stringify({ freedBytes, deleted, rewritten, phases }))
}

const workers = workerPool({ eager: true })
const engine = await timed('open', async () =>
  BackupEngine.open({
    target: localTarget(process.env.BENCH_REPOSITORY ?? ''),
    key: passphrase(process.env.BENCH_PASSPHRASE),
    workers,
  }),
)
try {
  await forgetAndPrune(engine)
} finally {
  await engine.close()
  await workers.close()
}
