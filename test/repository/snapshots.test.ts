import { describe, expect, it } from 'vitest'
import { noteRecord } from '../../src/model/note.ts'
import type { ReportRecord } from '../../src/model/report.ts'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { withNote } from '../../src/repository/notes.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { faultyTarget } from '../../src/testing/faulty-target.ts'
import { codeOf, freshRepository, NOW, openIn, putSnapshot, snapshotOf } from './fixtures.ts'

const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

/** The repository through a target that counts what is read. */
async function counting() {
  const made = await freshRepository()
  const gets: string[] = []
  const watched = wrapTarget(made.target, {
    get: (key, options) => {
      gets.push(key)
      return made.target.get(key, options)
    },
  })
  const place = await openIn(watched)
  gets.length = 0
  return { ...made, place, gets }
}

describe('snapshots', () => {
  it('are listed newest first, and each is read only once', async () => {
    const { place, gets, ...made } = await counting()
    for (const [id, seconds] of [
      ['b', 2],
      ['a', 1],
      ['c', 3],
    ] as const) {
      await putSnapshot(made, snapshotOf(id, { createdAt: at(seconds) }))
    }
    expect((await place.snapshots.list()).snapshots.map(({ id }) => id)).toEqual(['c', 'b', 'a'])
    await putSnapshot(made, snapshotOf('d', { createdAt: at(4) }))
    gets.length = 0
    expect((await place.snapshots.list()).snapshots.map(({ id }) => id)).toEqual(['d', 'c', 'b', 'a'])
    expect(gets).toEqual(['snapshots/d'])
  })

  it('are gone when they are deleted or a tombstone takes their place, cache or not', async () => {
    const { place, gets, ...made } = await counting()
    for (const id of ['a', 'b', 'c']) await putSnapshot(made, snapshotOf(id))
    expect((await place.snapshots.list()).snapshots).toHaveLength(3)
    await made.target.delete(['snapshots/a'])
    const stone = tombstoneRecord.encode({ id: 'b', at: NOW, reason: 'forgotten' })
    await made.records.put('snapshots', 'snapshots/b', stone)
    const { snapshots, tombstones, damaged } = await place.snapshots.list()
    expect(snapshots.map(({ id }) => id)).toEqual(['c'])
    expect([...tombstones.keys()]).toEqual(['b'])
    expect(damaged).toEqual([])
    gets.length = 0
    await place.snapshots.list()
    expect(gets).toEqual([])
    expect(await codeOf(place.snapshots.get('b'))).toBe('SNAPSHOT_NOT_FOUND')
    expect(await codeOf(place.snapshots.get('a'))).toBe('SNAPSHOT_NOT_FOUND')
    expect(await codeOf(place.snapshots.get('../c'))).toBe('SNAPSHOT_NOT_FOUND')
    expect((await place.snapshots.get('c')).id).toBe('c')
  })

  it('that are damaged, moved or newer are findings, and the others are listed', async () => {
    const made = await freshRepository()
    for (const id of ['a', 'b', 'c']) await putSnapshot(made, snapshotOf(id))
    made.objects.get('snapshots/a')![150]! ^= 1
    await made.target.put('snapshots/moved', new Uint8Array(made.objects.get('snapshots/b')!))
    const newer = new TextEncoder().encode(JSON.stringify({ type: 'snapshot', version: 9 }))
    await made.records.put('snapshots', 'snapshots/newer', newer)
    const { snapshots, damaged } = await made.snapshots.list()
    expect(snapshots.map(({ id }) => id).sort()).toEqual(['b', 'c'])
    const codes = damaged.map(({ key, error }) => [key, error.code]).sort()
    expect(codes).toEqual([
      ['snapshots/a', 'OBJECT_CORRUPT'],
      ['snapshots/moved', 'OBJECT_CORRUPT'],
      ['snapshots/newer', 'FORMAT_UNSUPPORTED'],
    ])
  })

  it('are not listed at all when the target fails or the call is aborted', async () => {
    const made = await freshRepository()
    for (const id of ['a', 'b']) await putSnapshot(made, snapshotOf(id))
    const faulty = await openIn(faultyTarget(made.target, [{ operation: 'get', nth: 4, fault: 'error' }]))
    expect(await codeOf(faulty.snapshots.list())).toBe('TARGET_UNREACHABLE')
    expect((await faulty.snapshots.list()).snapshots).toHaveLength(2)
    expect(await codeOf(made.snapshots.list({ signal: AbortSignal.abort() }))).toBe('ABORTED')
  })

  it('that vanish between listing and reading are no error', async () => {
    const made = await freshRepository()
    await putSnapshot(made, snapshotOf('a'))
    await putSnapshot(made, snapshotOf('b'))
    const racing = wrapTarget(made.target, {
      list: async function* (prefix, options) {
        for await (const info of made.target.list(prefix, options)) yield info
        if (prefix === 'snapshots/') await made.target.delete(['snapshots/a'])
      },
    })
    const { snapshots, damaged } = await (await openIn(racing)).snapshots.list()
    expect([snapshots.map(({ id }) => id), damaged]).toEqual([['b'], []])
  })
})

describe('notes', () => {
  const view = async (made: Awaited<ReturnType<typeof freshRepository>>, id: string) => {
    const { notes } = await made.notes.list()
    return withNote(await made.snapshots.get(id), notes.get(id))
  }

  it('lie over the snapshot, the newest wins', async () => {
    const made = await freshRepository()
    await putSnapshot(made, snapshotOf('a', { name: 'first', description: 'd', tags: ['x', 'y'] }))
    expect(await view(made, 'a')).toMatchObject({ name: 'first', tags: ['x', 'y'], holds: [] })
    await made.notes.write('a', (note) => ({ ...note, name: 'second', removeTags: ['x'], addTags: ['z'] }), {
      now: NOW,
    })
    const hold = { reason: 'audit', author: 'me' }
    const options = { now: at(1), actor: 'me' }
    await made.notes.write('a', (note) => ({ ...note, description: '', holds: [...note.holds, hold] }), options)
    const seen = await view(made, 'a')
    expect(seen).toMatchObject({ name: 'second', tags: ['y', 'z'], holds: [hold] })
    expect(seen.description).toBeUndefined()
    expect((await made.notes.list()).notes.get('a')).toMatchObject({ actor: 'me', at: at(1) })
    expect([...made.objects.keys()].filter((key) => key.startsWith('notes/'))).toEqual([
      'notes/a/00000001',
      'notes/a/00000002',
    ])
  })

  it('of several who write at once are all kept', async () => {
    const made = await freshRepository()
    const add = (tag: string) =>
      made.notes.write('a', (note) => ({ ...note, addTags: [...note.addTags, tag] }), { now: NOW })
    await Promise.all(['p', 'q', 'r', 's'].map(add))
    expect([...(await made.notes.list()).notes.get('a')!.addTags].sort()).toEqual(['p', 'q', 'r', 's'])
  })

  it('that are damaged are findings, and the one before counts', async () => {
    const made = await freshRepository()
    for (const name of ['one', 'two', 'three']) {
      await made.notes.write('a', (note) => ({ ...note, name }), { now: NOW })
    }
    made.objects.get('notes/a/00000003')![140]! ^= 1
    const { notes, damaged } = await made.notes.list()
    expect(notes.get('a')!.name).toBe('two')
    expect(damaged.map(({ key }) => key)).toEqual(['notes/a/00000003'])
    await made.notes.write('a', (note) => ({ ...note, name: `${note.name}!` }), { now: NOW })
    expect((await made.notes.list()).notes.get('a')!.name).toBe('two!')
    expect(made.objects.has('notes/a/00000004')).toBe(true)
  })

  it('about another snapshot than their key says are refused', async () => {
    const made = await freshRepository({ key: 'none' })
    const note = noteRecord.encode({ snapshot: 'b', at: NOW, addTags: [], removeTags: [], holds: [] })
    await made.records.put('snapshots', 'notes/a/00000001', note)
    expect((await made.notes.list()).damaged).toMatchObject([{ error: { code: 'OBJECT_CORRUPT' } }])
  })
})

describe('reports', () => {
  const report = (runId: string, seconds = 0): ReportRecord => ({
    runId,
    verb: 'backup',
    status: 'ok',
    startedAt: at(seconds),
    endedAt: at(seconds + 1),
    durationMs: 1000,
    host: 'here',
    counts: {},
    options: null,
    warnings: [],
  })

  it('are stored once for each run and listed newest first', async () => {
    const { reports, objects } = await freshRepository()
    await reports.write(report('a', 1))
    await reports.write(report('b', 2))
    expect(await codeOf(reports.write(report('a', 3)))).toBe('RUN_EXISTS')
    expect((await reports.list()).reports).toEqual([report('b', 2), report('a', 1)])
    expect(await reports.get('a')).toEqual(report('a', 1))
    expect(await codeOf(reports.get('c'))).toBe('RUN_NOT_FOUND')
    expect(await codeOf(reports.get('../a'))).toBe('RUN_NOT_FOUND')
    objects.get('reports/a')![150]! ^= 1
    expect(await codeOf(reports.get('a'))).toBe('OBJECT_CORRUPT')
  })

  it('are stored when only the reply was lost', async () => {
    const made = await freshRepository()
    let lost = false
    const lossy = wrapTarget(made.target, {
      put: async (key, body, options) => {
        const first = !lost
        lost = true
        return (await made.target.put(key, body, options)) && !first
      },
    })
    const { reports } = await openIn(lossy)
    expect(await codeOf(reports.write(report('a')))).toBe('resolved')
  })
})
