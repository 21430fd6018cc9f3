/** Numbers of stats() beside sums that the test makes from the files, the target and the calendar. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  BackupEngine,
  copySnapshots,
  filesystem,
  localTarget,
  memoryTarget,
  type Snapshot,
} from '../../../src/index.ts'
import { fakeClock, faultyTarget, memorySource, testEngine } from '../../../src/testing/index.ts'
import { codeOf, file, KEY, scratch } from '../../faults/support.ts'
import { forgetAll, pruneNow } from '../../prune/support.ts'

const folder = scratch()
const DAY = 86_400_000
const total = (numbers: Iterable<number>): number => [...numbers].reduce((sum, each) => sum + each, 0)

async function sizesOf(path: string): Promise<Record<string, number>> {
  const target = localTarget(path)
  const sizes: Record<string, number> = {}
  for await (const { key, size } of target.list('')) sizes[key] = size
  await target.close()
  return sizes
}

const below = (sizes: Record<string, number>, prefix: string): number[] =>
  Object.entries(sizes).flatMap(([key, size]) => (key.startsWith(prefix) ? [size] : []))

it('says what was backed up, what it takes, and how runs ended', async () => {
  const place = folder.at('repository')
  const source = (name: string) => filesystem({ name, path: folder.at(name) })
  file(folder.at('texts', 'a'), 'a line that comes again and again\n'.repeat(30_000))
  file(folder.at('noise', 'b'), randomBytes(700_000))
  file(folder.at('noise', 'the same'), 'x'.repeat(1000))
  const engine = await BackupEngine.open({
    target: localTarget(place),
    key: KEY,
    workers: 'inline',
    host: 'web-1',
    sources: [source('texts'), source('noise')],
  })
  const made: Snapshot[] = []
  made.push((await engine.backup({ tags: ['all', 'first'] })).snapshot)
  file(folder.at('noise', 'c'), randomBytes(300_000))
  made.push((await engine.backup({ tags: ['all'] })).snapshot)
  made.push((await engine.backup({ sources: ['noise'], tags: ['some'] })).snapshot)
  made.push((await engine.backup({ parent: 'none', sources: ['texts'] })).snapshot)
  rmSync(folder.at('texts'), { recursive: true })
  expect(await codeOf(engine.backup({ sources: ['texts'] }))).toBe('SOURCE_NOT_FOUND')
  await engine.verify({ level: 'data', snapshots: [made[0]!.id] })

  const stats = await engine.stats({ countTarget: true })
  const texts = 30_000 * 34
  const first = texts + 701_000
  const all = [first, first + 300_000, 1_001_000, texts]
  expect(stats).toMatchObject({ snapshots: 4, damagedSnapshots: 0, timeZone: 'UTC', sourceBytes: total(all) })
  expect(stats.averageSourceBytes).toBe(total(all) / 4)
  expect(stats.oldest).toEqual(made[0]!.createdAt)
  expect(stats.bySource).toMatchObject({
    texts: { snapshots: 3, bytes: 3 * texts, newestBytes: texts, newestEntries: 1 },
    noise: { snapshots: 3, bytes: 701_000 + 2 * 1_001_000, newestBytes: 1_001_000, newestEntries: 3 },
  })
  expect(Object.keys(stats.byTag)).toEqual(['all', 'first', 'some'])
  expect(stats.byTag.all).toMatchObject({
    snapshots: 2,
    sourceBytes: first + first + 300_000,
    newest: made[1]!.createdAt,
  })
  expect(stats.byHost['web-1']).toMatchObject({ snapshots: 4 })
  expect(stats.bySchedule['']).toMatchObject({ snapshots: 4 })
  expect(stats.runs).toEqual({ ok: 4, failed: 1, aborted: 0, successRate: 0.8 })
  expect(stats.runsByVerb).toMatchObject({ verify: { ok: 1 }, backup: { ok: 4 } })
  expect(stats.verifiedShare).toBe(1 / 4)

  const sizes = await sizesOf(place)
  const packs = below(sizes, 'packs/')
  // Nothing was pruned and nothing failed while it stored: what is there is what backups say that they stored.
  expect({ packs: stats.packs, bytes: stats.storedBytes }).toEqual({ packs: packs.length, bytes: total(packs) })
  expect(stats.byHost['web-1']!.storedBytes).toBe(total(packs))
  expect(stats.target).toMatchObject({ objects: Object.keys(sizes).length, bytes: total(Object.values(sizes)) })
  expect(stats.target!.byArea.reports).toEqual({ objects: 6, bytes: total(below(sizes, 'reports/')) })
  // Each file is in it once, and pages beside them.
  const contents = texts + 1_001_000
  expect(stats.rawBytes).toBe(stats.byHost['web-1']!.newBytes)
  expect(stats.rawBytes).toBeGreaterThanOrEqual(1_001_000 + 34)
  expect(stats.rawBytes).toBeLessThan(contents + 20_000)
  expect(stats.dedupRatio).toBe(total(all) / stats.rawBytes)
  expect(stats.compressionRatio).toBe(stats.rawBytes / total(packs))
  expect(stats.last24h).toMatchObject({
    snapshots: 4,
    sourceBytes: total(all),
    storedBytes: total(packs),
    freedBytes: 0,
  })
  expect(stats.last7d.runs).toEqual(stats.runs)
  expect(stats.growth.map(({ snapshots }) => snapshots).reduce((a, b) => a + b)).toBe(4)
  await engine.close()
})

it('goes by days, weeks and months of the time zone, through nights in which clocks change', async () => {
  // The clocks of Berlin go forward in the night to 29 March 2026.
  const clock = fakeClock(new Date('2026-03-27T22:30:00Z'))
  const engine = await testEngine({ clock, sources: [memorySource({ name: 'm', files: { a: 'content' } })] })
  for (const hours of [1, 24, 24, 24 * 5]) {
    await engine.backup()
    await clock.advance(hours * 3_600_000)
  }
  const from = async (options: Parameters<BackupEngine['stats']>[0]) =>
    (await engine.stats(options)).growth.map(({ from, snapshots }) => `${from.toISOString().slice(0, 16)} ${snapshots}`)
  expect(await from({})).toEqual([
    '2026-03-27T00:00 2',
    '2026-03-28T00:00 1',
    '2026-03-29T00:00 1',
    ...['2026-03-30', '2026-03-31', '2026-04-01', '2026-04-02', '2026-04-03'].map((day) => `${day}T00:00 0`),
  ])
  expect((await from({ timeZone: 'Europe/Berlin' })).slice(0, 5)).toEqual([
    '2026-03-26T23:00 1',
    '2026-03-27T23:00 1',
    '2026-03-28T23:00 1',
    '2026-03-29T22:00 1',
    '2026-03-30T22:00 0',
  ])
  expect(await from({ buckets: 'week' })).toEqual(['2026-03-23T00:00 4', '2026-03-30T00:00 0'])
  expect(await from({ buckets: 'week', weekStart: 'sunday' })).toEqual(['2026-03-22T00:00 3', '2026-03-29T00:00 1'])
  expect(await from({ buckets: 'month', timeZone: 'Europe/Berlin' })).toEqual([
    '2026-02-28T23:00 4',
    '2026-03-31T22:00 0',
  ])
  expect(await from({ since: new Date('2026-04-02T12:00:00Z') })).toEqual(['2026-04-02T00:00 0', '2026-04-03T00:00 0'])
  const { last24h, last7d, runs } = await engine.stats({ since: new Date('2026-03-28T12:00:00Z') })
  expect([last24h.snapshots, last7d.snapshots, runs.ok]).toEqual([0, 2, 2])
  await engine.close()
})

it('counts what failed, was aborted, was forgotten, freed, copied, or is damaged', async () => {
  const clock = fakeClock(new Date('2026-05-01T12:00:00Z'))
  const target = memoryTarget()
  const faulty = faultyTarget(target, [{ operation: 'put', keys: 'index/', nth: 1, fault: 'denied' }])
  const source = memorySource({ name: 'm', files: { a: randomBytes(300_000) } })
  const broken = await testEngine({ target: faulty, clock, sources: [source] })
  expect(await codeOf(broken.backup({ tags: ['broken'] }))).toBe('TARGET_DENIED')
  await broken.close()
  const engine = await testEngine({ target, clock, sources: [source] })
  const stop = AbortSignal.abort()
  expect(await codeOf(engine.backup({ signal: stop }))).toBe('ABORTED')
  const stopped = engine.backup({ onProgress: () => engine.runs()[0]?.abort() })
  expect(await codeOf(stopped)).toBe('ABORTED')
  const { snapshot: first } = await engine.backup()
  await clock.advance(DAY)
  source.set('a', randomBytes(200_000))
  const { snapshot: second } = await engine.backup()
  const before = await engine.stats()
  expect(before.runs).toEqual({ ok: 2, failed: 1, aborted: 1, successRate: 2 / 3 })
  expect((await engine.stats({ filter: { tags: ['broken'] } })).runs).toEqual({
    ok: 0,
    failed: 1,
    aborted: 0,
    successRate: 0,
  })
  await forgetAll(engine, [first.id])
  const { freedBytes } = await pruneNow(engine)
  expect(freedBytes).toBeGreaterThan(300_000)

  const stats = await engine.stats()
  const packs = [...target.objects].flatMap(([key, { length }]) => (key.startsWith('packs/') ? [length] : []))
  expect(stats).toMatchObject({ snapshots: 1, storedBytes: total(packs), packs: packs.length })
  // What the forgotten one added was added all the same.
  expect(stats.growth.map((each) => [each.snapshots, each.storedBytes, each.freedBytes])).toEqual([
    [0, first.counts.storedBytes, 0],
    [1, second.counts.storedBytes, freedBytes],
  ])
  expect((await engine.stats({ filter: { tags: ['none'] } })).growth).toEqual([])

  await clock.advance(DAY)
  const to = await testEngine({ clock, host: 'other' })
  await copySnapshots({ from: engine, to })
  const copied = await to.stats()
  // A copy keeps its time, and came today.
  expect(copied).toMatchObject({ snapshots: 1, newest: second.createdAt, last24h: { snapshots: 1 } })
  await to.close()

  const key = `snapshots/${second.id}`
  await target.put(key, new Uint8Array(target.objects.get(key)!.length))
  expect(await engine.stats()).toMatchObject({ snapshots: 0, damagedSnapshots: 1, verifiedShare: null, dedupRatio: 0 })
  await engine.close()
})

it('leaves nothing in the history, and refuses what it does not know', async () => {
  const engine = await testEngine({ sources: [memorySource({ name: 'm', files: {} })] })
  expect(await engine.stats()).toMatchObject({
    snapshots: 0,
    growth: [],
    runs: { successRate: null },
    dedupRatio: null,
  })
  await engine.planForget({ retention: { keepLast: 1 } })
  expect(await engine.history.list().toArray()).toEqual([])
  for (const options of [{ buckets: 'year' }, { timeZone: 'Mars/Base' }, { since: 'now' }, { of: 1 }])
    expect(await codeOf(engine.stats(options as never))).toBe('INVALID_OPTIONS')
  await engine.close()
})
