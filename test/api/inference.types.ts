/** What TypeScript knows without being told. Nothing here runs: `npm run typecheck` is the test. */
import {
  BackupEngine,
  BackupError,
  type BackupResult,
  type Change,
  defineSink,
  defineSource,
  defineTarget,
  defineTransform,
  type Entry,
  type ErasePlan,
  type ErrorCode,
  type ForgetPlan,
  type ForgottenSnapshot,
  filesystem,
  type KeySlot,
  localTarget,
  type Progress,
  type PrunePlan,
  type PruneResult,
  passphrase,
  type RepairPlan,
  type Report,
  type RestorePlan,
  type RestoreResult,
  type RotateResult,
  type RunUpdate,
  type Snapshot,
  type Source,
  type Target,
  type Warning,
} from 'holdfast'
import { diffRows, postgres, postgresSink } from 'holdfast/postgres'
import { s3Source, s3Target } from 'holdfast/s3'
import { fakeClock, faultyTarget, memorySource, memoryTarget, testEngine } from 'holdfast/testing'
import { expectTypeOf } from 'vitest'

export async function opening(): Promise<void> {
  const target = localTarget('./backups')
  expectTypeOf(target).toExtend<Target>()
  expectTypeOf(s3Target({ bucket: 'b' })).toExtend<Target>()
  expectTypeOf(s3Source({ name: 's', bucket: 'b' })).toExtend<Source>()
  const sources = [filesystem({ name: 'files', path: '.' }), postgres({ name: 'main', connectionString: undefined })]
  const engine = await BackupEngine.open({ target, key: passphrase(process.env.SECRET), sources })
  expectTypeOf(engine).toEqualTypeOf<BackupEngine>()
  expectTypeOf(engine).toExtend<AsyncDisposable>()
}

export async function results(engine: BackupEngine, source: Source): Promise<void> {
  const result = await engine.backup({
    sources: ['files', source],
    onProgress: (progress) => progress.percent?.toFixed(),
  })
  expectTypeOf(result).toEqualTypeOf<BackupResult>()
  expectTypeOf(result.snapshot.createdAt).toEqualTypeOf<Date>()
  expectTypeOf(result.warnings).items.toEqualTypeOf<Warning>()
  const { rekeyed } = await engine.keys.rotate({ rekeyOldData: true })
  expectTypeOf(rekeyed).toEqualTypeOf<PruneResult | undefined>()
  expectTypeOf(await engine.keys.rotate()).toEqualTypeOf<RotateResult>()
  expectTypeOf(await engine.keys.list()).items.toEqualTypeOf<KeySlot>()
  expectTypeOf((await engine.stats()).growth).items.toHaveProperty('storedBytes')
}

export async function listings(engine: BackupEngine): Promise<void> {
  const [newest] = await engine.snapshots({ tags: ['nightly'] }).toArray({ limit: 1 })
  expectTypeOf(newest).toEqualTypeOf<Snapshot | undefined>()
  const page = await engine.entries({ snapshot: 'latest' }).page({ limit: 10 })
  expectTypeOf(page.items).items.toEqualTypeOf<Entry>()
  expectTypeOf(page.next).toEqualTypeOf<string | undefined>()
  for await (const change of (await engine.diff({ base: 'empty', head: 'live' })).changes)
    expectTypeOf(change).toEqualTypeOf<Change>()
  for await (const old of engine.forgotten()) expectTypeOf(old).toEqualTypeOf<ForgottenSnapshot>()
  for await (const report of engine.history.list({ verbs: ['backup'] })) expectTypeOf(report).toEqualTypeOf<Report>()
  for await (const row of diffRows(engine, { base: 'a', head: 'latest', table: 'main/public/orders' }))
    row.type satisfies string
}

export function events(engine: BackupEngine): void {
  engine.on('backup:complete', ({ result, actor }) => {
    expectTypeOf(result).toEqualTypeOf<BackupResult>()
    expectTypeOf(actor).toEqualTypeOf<string | undefined>()
  })
  engine.once('restore:complete', ({ result }) => expectTypeOf(result).toEqualTypeOf<RestoreResult>())
  engine.on('prune:complete', ({ result }) => expectTypeOf(result).toEqualTypeOf<PruneResult>())
  engine.on('backup:progress', (progress) => expectTypeOf(progress).toEqualTypeOf<Progress>())
  engine.on('verify:error', ({ error }) => expectTypeOf(error).toEqualTypeOf<BackupError>())
  engine.on('keys:warning', ({ warning }) => expectTypeOf(warning).toEqualTypeOf<Warning>())
  engine.on('source:open', ({ source }) => expectTypeOf(source).toEqualTypeOf<string>())
  engine.on('target:retry', ({ delayMs }) => expectTypeOf(delayMs).toEqualTypeOf<number>())
}

export async function updates(engine: BackupEngine): Promise<void> {
  for await (const update of engine.follow('id')) {
    expectTypeOf(update).toEqualTypeOf<RunUpdate>()
    if (update.type === 'progress') expectTypeOf(update.progress).toEqualTypeOf<Progress>()
    if (update.type === 'end') expectTypeOf(update.report).toEqualTypeOf<Report>()
  }
}

/** A plan goes into its own verb, also after it went through JSON as the type that it was. */
export async function plans(engine: BackupEngine): Promise<void> {
  const restore = await engine.planRestore({ snapshot: { latest: { before: new Date() } }, to: { folder: 'x' } })
  expectTypeOf(restore).toEqualTypeOf<RestorePlan>()
  await engine.restore(JSON.parse(JSON.stringify(restore)) as RestorePlan)
  await engine.restore(restore, { confirm: restore.digest })
  const forget: ForgetPlan = await engine.planForget({ retention: { keepLast: 3, keepWithin: '30d' } })
  await engine.forget(forget, { confirm: forget.digest })
  const erase: ErasePlan = await engine.planErase({ paths: ['files/secret'] })
  const { prune } = await engine.erase(erase, { confirm: erase.digest })
  const freeing: PrunePlan = await engine.planPrune(prune)
  await engine.prune(freeing, { confirm: freeing.digest })
  const repair: RepairPlan = await engine.planRepair()
  await engine.repair(repair)
  expectTypeOf([restore.kind, forget.kind, erase.kind, freeing.kind, repair.kind] as const).toEqualTypeOf<
    readonly ['restore', 'forget', 'erase', 'prune', 'repair']
  >()
}

export function errors(error: unknown): ErrorCode | undefined {
  if (!BackupError.is(error)) return undefined
  expectTypeOf(error).toEqualTypeOf<BackupError>()
  expectTypeOf(error.retryable).toEqualTypeOf<boolean>()
  return error.code === 'TARGET_FULL' ? undefined : error.code
}

/** Literals need no `as const`, and arguments no types. */
export function plugins(): void {
  const source = defineSource({
    name: 'notes',
    kind: 'notes',
    open: async ({ signal }) => ({
      async *entries() {
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
        yield [{ path: 'a', type: 'file', content: { from: 'bytes', bytes: new Uint8Array(1) } }]
      },
      describe: async () => ({ notes: 1 }),
      [Symbol.asyncDispose]: async () => {},
    }),
  })
  expectTypeOf(source).toExtend<Source>()
  defineTarget({
    name: 'none',
    traits: { createOnly: true, maxConcurrency: 4 },
    put: async (key, body, { ifAbsent } = {}) => key.length > body.length && ifAbsent === true,
    get: async (_key, { range } = {}) => new Uint8Array(range?.end ?? 0),
    stat: async (key) => ({ key, size: 0 }),
    async *list(prefix) {
      yield { key: prefix, size: 0 }
    },
    delete: async (keys) => void keys.map((key) => key.length),
    close: async () => {},
  })
  defineTransform({
    id: 'same',
    kind: 'other',
    encode: (segment) => segment,
    decode: (segment, { maxBytes }) => segment.subarray(0, maxBytes),
  })
  defineSink({
    name: 'none',
    open: async ({ warn }) => ({
      write: async (entry) => warn({ code: 'ENTRY_SKIPPED', message: entry.path }),
      prepare: async () => {},
      commit: async () => {},
      rollback: async () => {},
      [Symbol.asyncDispose]: async () => {},
    }),
  })
}

export async function fakes(): Promise<void> {
  const clock = fakeClock()
  const target = faultyTarget(memoryTarget({ maxBytes: 1e6 }), [{ operation: 'put', nth: 1, fault: 'slow-down' }])
  const engine = await testEngine({ target, clock, sources: [memorySource({ name: 'm', files: { a: 'text' } })] })
  expectTypeOf(engine).toEqualTypeOf<BackupEngine>()
  expectTypeOf(await clock.until(engine.backup())).toEqualTypeOf<BackupResult>()
  expectTypeOf(postgresSink({ connectionString: 'x' })).toHaveProperty('open')
}
