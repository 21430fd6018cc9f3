import { afterEach, describe, expect, it } from 'vitest'
import { contextOf } from '../../../src/engine/engine-contexts.ts'
import { type RewriteRequest, type Rewritten, rewriteSnapshot } from '../../../src/engine/rewrite/rewrite-snapshot.ts'
import { withQuietRun } from '../../../src/engine/run/context.ts'
import type { BackupEngine, BackupError } from '../../../src/index.ts'
import { makePlace, type Place } from '../verify/fixture.ts'

const opened: BackupEngine[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
})

async function place(files: number): Promise<Place> {
  const made = await makePlace(0)
  opened.push(made.engine)
  for (let i = 0; i < files; i++) made.source.set(`d${i % 9}/file-${String(i).padStart(4, '0')}`, `content of ${i}`)
  made.ids.push((await made.engine.backup({ tags: ['kept'] })).snapshot.id)
  return made
}

async function rewrite(
  { engine, ids }: Place,
  over: Partial<RewriteRequest> & Pick<RewriteRequest, 'judge'>,
): Promise<Rewritten | undefined> {
  const context = contextOf(engine)!
  const origin = await context.repository.repository.snapshots.get(ids[0]!)
  return withQuietRun(context, { verb: 'annotate', options: {} }, async (run) => {
    const lease = await context.repository.lease()
    try {
      return await rewriteSnapshot(context, run, lease, { origin, why: 'erase', listed: 3, ...over })
    } finally {
      lease.release()
    }
  })
}

async function paths(engine: BackupEngine, snapshot: string): Promise<string[]> {
  return (await engine.entries({ snapshot, recursive: true }).toArray({ limit: 10_000 })).map(({ path }) => path)
}

function selected(...include: string[]): RewriteRequest['judge'] {
  return { kind: 'selected', drop: { include, exclude: [] } }
}

describe('rewriting a snapshot', () => {
  it('leaves out what is chosen, and has the tree that a backup without it would have', async () => {
    const made = await place(2000)
    const { engine, source, ids } = made
    await engine.annotate(ids[0]!, { addHold: { reason: 'trial' }, addTags: ['seen'] })
    const rewritten = (await rewrite(made, { judge: selected('files/d3', 'files/d5/file-0104') }))!
    const { snapshot, dropped } = rewritten
    const all = await paths(engine, ids[0]!)
    const gone = all.filter((path) => path.startsWith('files/d3/') || path === 'files/d5/file-0104')
    expect(gone.length).toBeGreaterThan(200)
    expect(await paths(engine, snapshot.id)).toEqual(all.filter((path) => !gone.includes(path)))
    expect(dropped).toMatchObject({
      entries: gone.length,
      list: gone.slice(0, 3).map((path) => ({ path, entries: 1 })),
    })
    const { rewrittenFrom, sources, createdAt, tags } = snapshot.record
    expect(rewrittenFrom).toEqual({ snapshot: ids[0], why: 'erase', entries: gone.length, bytes: dropped.bytes })
    expect([createdAt, tags]).toEqual([(await engine.snapshot(ids[0]!)).createdAt, ['kept']])
    expect(await engine.snapshot(snapshot.id)).toMatchObject({ holds: [{ reason: 'trial' }], tags: ['kept', 'seen'] })
    for (const path of gone) source.set(path.slice('files/'.length), null)
    const fresh = (await engine.backup({ parent: 'none' })).snapshot.id
    const { record } = await contextOf(engine)!.repository.repository.snapshots.get(fresh)
    expect(sources[0]!.root).toEqual(record.sources[0]!.root)
    expect(await engine.verify({ level: 'data' })).toMatchObject({ sound: true })
  })

  it('commits nothing where nothing is to be left out, and an empty tree where all is', async () => {
    const made = await place(40)
    const { engine } = made
    expect(await rewrite(made, { judge: selected('files/nothing') })).toBeUndefined()
    expect(await engine.snapshots().toArray()).toHaveLength(1)
    const { snapshot } = (await rewrite(made, { judge: selected('files') }))!
    expect(snapshot.record.sources[0]).toMatchObject({ root: null, entries: 0, bytes: 0 })
    expect(await paths(engine, snapshot.id)).toEqual([])
  })

  it('passes over lost content and lost pages only if it is asked to', async () => {
    const made = await place(900)
    const { engine, ids, objects } = made
    made.source.set('late', 'x'.repeat(5000))
    const before = new Set(objects.keys())
    const second = (await engine.backup()).snapshot.id
    for (const key of [...objects.keys()]) if (key.startsWith('packs/') && !before.has(key)) objects.delete(key)
    const context = contextOf(engine)!
    const table = context.repository.index.index.tables.at(-1)!
    context.repository.index.markAbsent(new Set(Array.from({ length: table.packCount }, (_, i) => table.packName(i))))
    ids[0] = second
    const failed = rewrite(made, { judge: selected('files/d1') })
    await expect(failed).rejects.toMatchObject({ code: 'OBJECT_MISSING' } satisfies Partial<BackupError>)
    const rewritten = (await rewrite(made, { why: 'repair', judge: { kind: 'lost' } }))!
    expect(rewritten.dropped.entries).toBeGreaterThan(0)
    const { record } = rewritten.snapshot
    expect(record).toMatchObject({ complete: false, rewrittenFrom: { why: 'repair' } })
    expect(record.sources[0]!.facts['holdfast.missing']).toMatchObject({ entries: rewritten.dropped.entries })
    await engine.verify({ snapshots: rewritten.snapshot.id }).then(({ snapshots }) => {
      expect(snapshots).toEqual([{ id: rewritten.snapshot.id, sound: true }])
    })
  })
})
