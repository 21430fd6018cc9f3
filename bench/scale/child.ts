/** One step of a part, with the built package: `node bench/scale/child.ts VERB REPOSITORY …`. Prints one line of JSON. */
import { pathToFileURL } from 'node:url'
import { type GeneratedOptions, generated } from './generated.ts'

const DIST = process.env.BENCH_DIST
  ? pathToFileURL(`${process.env.BENCH_DIST}/`)
  : new URL('../../dist/', import.meta.url)
const { BackupEngine, defineSource, filesystem, localTarget, rawKey } = (await import(
  new URL('index.js', DIST).href
)) as typeof import('../../src/index.ts')
type Engine = Awaited<ReturnType<typeof BackupEngine.open>>
type Options = Parameters<typeof BackupEngine.open>[0]

const [verb = '', repository = '', ...args] = process.argv.slice(2)
const steps: { what: string; ms: number }[] = []

async function timed<T>(what: string, body: () => Promise<T>): Promise<T> {
  const started = performance.now()
  const value = await body()
  steps.push({ what, ms: performance.now() - started })
  return value
}

async function withEngine<T>(options: Partial<Options>, body: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await timed('open', () =>
    BackupEngine.open({
      target: localTarget(repository),
      key: rawKey(new Uint8Array(32).fill(7)),
      sources: [],
      cache: 'none',
      ...options,
    }),
  )
  try {
    return await body(engine)
  } finally {
    await engine.close()
  }
}

type Facts = Record<string, number | string>

const VERBS: Readonly<Record<string, () => Promise<Facts>>> = {
  backup: () =>
    withEngine({ sources: [filesystem({ name: 'data', path: args[0]! })] }, async (engine) => {
      const { counts } = await timed('backup', () => engine.backup())
      return { entries: counts.entries, unchanged: counts.unchanged }
    }),
  generated: () => {
    const [entries, changed] = args.map(Number) as [number, number]
    const options: GeneratedOptions = { entries, changed }
    return withEngine({ sources: [defineSource(generated(options))] }, async (engine) => {
      const { counts } = await timed('backup', () => engine.backup())
      return { entries: counts.entries, unchanged: counts.unchanged }
    })
  },
  list: () =>
    withEngine({}, async (engine) => {
      let count = 0
      await timed('list', async () => {
        for await (const _ of engine.entries({ snapshot: 'latest', path: args[0]! })) count++
      })
      return { count }
    }),
  restore: () =>
    withEngine({}, async (engine) => {
      const plan = await timed('plan', () => engine.planRestore({ snapshot: 'latest', to: { folder: args[0]! } }))
      await timed('restore', () => engine.restore(plan))
      return {}
    }),
  look: () =>
    withEngine({}, async (engine) => {
      const look = () => engine.entries({ snapshot: 'latest', path: args[0]! }).page({ limit: 10 })
      await timed('look', look)
      await timed('again', look)
      return { residentBytes: process.memoryUsage().rss }
    }),
  diff: () =>
    withEngine({}, async (engine) => {
      const [head, base] = (await engine.snapshots().page({ limit: 2 })).items
      const { changes } = await timed('diff', () => engine.diff({ base: base!.id, head: head!.id }))
      return { changes: (await timed('changes', () => changes.toArray())).length }
    }),
  browse: () => withEngine({}, (engine) => browse(engine, args[0]!, Number(args[1]))),
  snapshots: () =>
    withEngine({ cache: { directory: args[0]! } }, async (engine) => {
      const snapshots = await timed('first', () => engine.snapshots().toArray())
      await timed('again', () => engine.snapshots().toArray())
      await timed('page', () => engine.snapshots().page({ limit: 100 }))
      return { snapshots: snapshots.length }
    }),
}

/** Each look in a process of its own, where nothing has been read yet; then once more. */
async function browse(engine: Engine, what: string, entries: number): Promise<Facts> {
  const { folderOf, pathOf } = await import('./generated.ts')
  const look = async (): Promise<number> => {
    const snapshot = 'latest'
    if (what === 'first page')
      return (await engine.entries({ snapshot, recursive: true }).page({ limit: 100 })).items.length
    const folder = `generated/${folderOf(Math.floor(entries / 2))}`
    if (what === 'folder') return (await engine.entries({ snapshot, path: folder }).page({ limit: 100 })).items.length
    const cursor = Buffer.from(JSON.stringify([1, `generated/${pathOf(Math.floor(entries * 0.9))}`])).toString(
      'base64url',
    )
    return (await engine.entries({ snapshot, recursive: true }).page({ limit: 100, cursor })).items.length
  }
  const count = await timed(what, look)
  await timed('again', look)
  return { count }
}

const work = VERBS[verb]
if (!work) throw new Error(`unknown verb: ${verb}`)
const facts = await work()
console.log(JSON.stringify({ steps, facts }))
