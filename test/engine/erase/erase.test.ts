/** After an erasure and a prune no byte and no name of it is in the target, and everything else is as it was. */
import { expect, it } from 'vitest'
import { type BackupEngine, type ErasePlan, memoryTarget } from '../../../src/index.ts'
import { memorySource, testEngine } from '../../../src/testing/index.ts'
import {
  codeOf,
  expectSound,
  file,
  ids,
  keysBelow,
  type Look,
  look,
  openOn,
  restored,
  scratch,
} from '../../faults/support.ts'
import { forgetAll, pruneNow } from '../../prune/support.ts'
import { eraseNow, everyChunk, holding, KEPT, makePeople, NAME, openPlain, SECRET, without } from './support.ts'

const folder = scratch()
const HERS = [`data/people/${NAME}`, `data/lists/${NAME}.*`]
const isHers = (path: string): boolean => path.includes(NAME)

/** Links within what is left count as there are. */
function plain(look: Look): Look {
  return Object.fromEntries(
    Object.entries(look).map(([path, facts]) => [path, { ...(facts as object), links: undefined, seconds: undefined }]),
  )
}

it('leaves no byte of it in any object, and all else exactly', async () => {
  const target = memoryTarget()
  const tree = folder.at('tree')
  makePeople(tree)
  const engine = await openPlain(target, tree)
  const looks = new Map<string, Look>()
  const one = async (tags: string[]): Promise<string> => {
    const { snapshot } = await engine.backup({ tags, name: tags.join() })
    looks.set(snapshot.id, look(tree))
    return snapshot.id
  }
  const first = await one(['a'])
  file(folder.at('tree', 'lists', 'kept'), `${KEPT} now`)
  file(folder.at('tree', 'people', NAME, 'letter'), `${SECRET} second letter\n`.repeat(50))
  const second = await one(['b'])
  const gone = await one(['gone'])
  await engine.annotate(first, { addTags: ['noted'], addHold: { reason: 'audit' } })
  await forgetAll(engine, [gone])
  expect(holding(target, SECRET).length).toBeGreaterThan(0)

  const before = new Set(target.objects.keys())
  const plan = await engine.planErase({ paths: HERS, includeHeld: true })
  expect(new Set(target.objects.keys())).toEqual(before)
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  expect(plan.snapshots.map(({ snapshot, entries }) => [snapshot, entries])).toEqual([
    [first, 6],
    [second, 6],
  ])
  expect(plan.forgotten).toMatchObject([{ snapshot: gone, entries: 6 }])
  expect(plan.paths).toHaveLength(6)
  expect(plan).toMatchObject({ destructive: true, entries: 18, distinctPaths: 6, warnings: [] })
  // The other name of her file, which stays.
  expect(plan.shared).toEqual([{ path: 'data/people/p1/letter', bytes: expect.any(Number), linked: true }])
  expect(await codeOf(engine.erase(plan))).toBe('CONFIRMATION_REQUIRED')

  const result = await engine.erase(plan, { confirm: plan.digest, actor: 'dpo' })
  expect(result).toMatchObject({ dropped: [gone], held: [], entries: 18, bytes: plan.bytes, warnings: [] })
  expect(result.erased.map(({ from }) => from)).toEqual([first, second])
  expect(keysBelow(target, 'trash/')).toEqual([])
  expect(await engine.forgotten().toArray()).toEqual([])
  const [toFirst, toSecond] = result.erased.map(({ to }) => to)
  expect((await ids(engine)).sort()).toEqual([toFirst, toSecond].sort())
  const old = { createdAt: (await engine.snapshot(toFirst!)).createdAt, host: 'web-1', name: 'a', tags: ['a', 'noted'] }
  expect(await engine.snapshot(toFirst!)).toMatchObject({
    ...old,
    holds: [{ reason: 'audit' }],
    complete: true,
    rewrittenFrom: { snapshot: first, why: 'erase', entries: 6 },
  })
  // All of it is still there until the prune.
  expect(holding(target, SECRET).length).toBeGreaterThan(0)
  await pruneNow(engine, { ...result.prune, keepDeletedMs: 604_800_000 })
  expect(holding(target, SECRET)).toEqual([])
  expect(holding(target, NAME)).toEqual([])
  expect(holding(target, KEPT).length).toBeGreaterThan(0)
  await expectSound(engine)
  for (const [from, to] of [
    [first, toFirst!],
    [second, toSecond!],
  ] as const)
    expect(plain(await restored(engine, to, folder.path))).toEqual(plain(without(looks.get(from)!, isHers)))
  expect(await engine.planErase({ paths: HERS })).toMatchObject({ snapshots: [], forgotten: [], destructive: false })
  expect(await engine.history.get(result.runId)).toMatchObject({
    verb: 'erase',
    actor: 'dpo',
    options: { patterns: 2 },
  })
  // The next backup compares with the newest successor.
  expect((await engine.backup()).snapshot.parent).toBe(toSecond)
  await engine.close()
})

it('is not undone by an ordinary prune, and a small part of a segment goes as well', async () => {
  const target = memoryTarget()
  const files: Record<string, string> = { secret: SECRET, other: KEPT.repeat(20_000) }
  for (let i = 0; i < 40; i++) files[`f${i}`] = `${KEPT} ${i} `.repeat(1000)
  const engine = await openPlain(target, folder.path, { sources: [memorySource({ name: 'm', files })] })
  await engine.backup()
  const { result } = await eraseNow(engine, { paths: ['m/secret'] })
  await pruneNow(engine)
  // Too little of its pack is dead to be worth a rewrite.
  expect(holding(target, SECRET).length).toBeGreaterThan(0)
  await pruneNow(engine, result.prune)
  expect(holding(target, SECRET)).toEqual([])
  await expectSound(engine)
  expect(await pruneNow(engine, result.prune)).toMatchObject({ rewritten: { packs: 0 } })
  await engine.close()
})

it('is in no chunk of any pack where nobody can look without the key', async () => {
  const target = memoryTarget()
  makePeople(folder.at('tree'))
  const engine = await openOn(target, folder.at('tree'))
  await engine.backup()
  const isThere = async (text: string): Promise<boolean> => {
    const fresh = await openOn(target, folder.at('tree'))
    const chunks = await everyChunk(fresh)
    await fresh.close()
    return chunks.some((chunk) => Buffer.from(chunk).includes(text))
  }
  expect([await isThere(SECRET), await isThere(NAME)]).toEqual([true, true])
  const { result } = await eraseNow(engine, { paths: HERS })
  await pruneNow(engine, result.prune)
  expect([await isThere(SECRET), await isThere(NAME), await isThere(KEPT)]).toEqual([false, false, true])
  await expectSound(engine)
  await engine.close()
})

it('says what else has the content, and that stays', async () => {
  const target = memoryTarget()
  const content = `${SECRET} shared `.repeat(100)
  const files = { 'a/original': content, 'b/copy': content, 'c/other': 'else' }
  const engine = await openPlain(target, folder.path, { sources: [memorySource({ name: 'm', files })] })
  await engine.backup()
  const { plan, result } = await eraseNow(engine, { paths: ['m/a'] })
  expect(plan.shared).toEqual([{ path: 'm/b/copy', bytes: content.length, linked: false }])
  expect(plan.paths).toContain('m/a/original')
  await pruneNow(engine, result.prune)
  expect(holding(target, SECRET).length).toBe(1)
  expect(holding(target, 'original')).toEqual([])
  await eraseNow(engine, { paths: ['m/b/copy'] })
  await pruneNow(engine, result.prune)
  expect(holding(target, SECRET)).toEqual([])
  await engine.close()
})

it('takes only the sources and snapshots that were named', async () => {
  const a = memorySource({ name: 'a', files: { x: 'of a', y: 'too' } })
  const b = memorySource({ name: 'b', files: { x: 'of b' } })
  const engine = await testEngine({ sources: [a, b] })
  const { snapshot: first } = await engine.backup()
  const { snapshot: second } = await engine.backup({ tags: ['second'] })
  const paths = async (snapshot: string): Promise<string[]> =>
    (await engine.entries({ snapshot, recursive: true }).toArray()).map(({ path }) => path)
  const { plan, result } = await eraseNow(engine, { paths: ['**/x'], sources: ['a'], snapshots: [first.id] })
  expect(plan).toMatchObject({ entries: 1, paths: ['a/x'], others: [second.id], shared: [] })
  expect(await paths(result.erased[0]!.to)).toEqual(['a/y', 'b/x'])
  expect(await paths(second.id)).toEqual(['a/x', 'a/y', 'b/x'])
  const all = await eraseNow(engine, { paths: ['a', 'b'] })
  expect(all.plan.snapshots).toHaveLength(2)
  for (const { to } of all.result.erased) expect(await paths(to)).toEqual([])
  await expectSound(engine)
  await engine.close()
})

it('refuses what is held, parts of databases, stale and foreign plans, and what it does not know', async () => {
  const table = memorySource({ name: 'main', files: { 'public/orders': 'rows' } })
  const database = { ...table, kind: 'postgres' }
  const source = memorySource({ name: 'm', files: { x: 'content', y: 'more' } })
  const engine = await testEngine({ sources: [source, database] })
  const { snapshot } = await engine.backup()
  expect(await codeOf(engine.planErase({ paths: ['main/public/orders'] }))).toBe('UNSUPPORTED')
  expect(await codeOf(engine.planErase({ paths: ['**/orders'] }))).toBe('UNSUPPORTED')
  expect(await engine.planErase({ paths: ['**/x'] })).toMatchObject({ entries: 1 })
  const plan = await engine.planErase({ paths: ['m/x'] })
  await engine.annotate(snapshot.id, { addHold: { reason: 'court' } })
  expect(await codeOf(engine.planErase({ paths: ['m/x'] }))).toBe('HELD')
  const confirmed = (made: ErasePlan, by: BackupEngine = engine) => by.erase(made, { confirm: made.digest })
  expect(await codeOf(confirmed(plan))).toBe('PLAN_STALE')
  expect(await codeOf(confirmed({ ...plan, entries: 7 }))).toBe('PLAN_STALE')
  const other = await testEngine()
  expect(await codeOf(confirmed(plan, other))).toBe('PLAN_FOREIGN')
  await other.close()
  for (const options of [{ paths: [] }, {}, { paths: ['m/x'], sources: ['n'] }, { paths: ['m/x'], of: 1 }])
    expect(await codeOf(engine.planErase(options as never))).toBe('INVALID_OPTIONS')
  const held = await engine.planErase({ paths: ['m/x'], includeHeld: true })
  source.set('x', 'content again')
  const { snapshot: newer } = await engine.backup()
  const { warnings, erased } = await confirmed(held)
  expect(warnings).toMatchObject([{ code: 'ERASE_AGAIN', details: { snapshots: [newer.id] } }])
  expect((await engine.snapshot(erased[0]!.to)).holds).toMatchObject([{ reason: 'court' }])
  expect((await confirmed(held)).erased).toEqual([])
  await engine.close()
})
