import { describe, expect, it } from 'vitest'
import { filterSnapshots } from '../../../src/engine/snapshots/filter.ts'
import { resolveSnapshot } from '../../../src/engine/snapshots/ref.ts'
import type { Snapshot, SnapshotFilter, SnapshotRef } from '../../../src/engine/types/index.ts'
import { makeSnapshot } from '../fixture.ts'

const at = (day: number): Date => new Date(Date.UTC(2026, 0, day))
const source = (name: string) => ({ name, kind: 'filesystem', entries: 1, bytes: 1, facts: {} })
const proof = (sound: boolean) => ({ at: at(9), level: 'data' as const, sound })

const ALL: Snapshot[] = [
  makeSnapshot({ id: '2026a-one', createdAt: at(1), tags: ['nightly', 'eu'], sources: [source('uploads')] }),
  makeSnapshot({
    id: '2026b-two',
    createdAt: at(2),
    host: 'web-2',
    name: 'Before the Migration',
    labels: { version: '4.2' },
    sources: [source('uploads'), source('main')],
    lastVerified: proof(true),
  }),
  makeSnapshot({ id: '2026c-three', createdAt: at(3), tags: ['nightly'], complete: false, lastVerified: proof(false) }),
  makeSnapshot({ id: '2026d-point', createdAt: at(4), kind: 'restore-point' }),
  makeSnapshot({ id: '2026e-five', createdAt: at(3), description: 'weekly run', schedule: 'weekly' }),
]
const ids = (filter?: SnapshotFilter): string[] => filterSnapshots(ALL, filter).map(({ id }) => id.slice(6))

describe('filterSnapshots', () => {
  it.each<[string, SnapshotFilter, string[]]>([
    ['backups, newest first, ids break ties', {}, ['five', 'three', 'two', 'one']],
    ['oldest first', { order: 'oldest' }, ['one', 'two', 'three', 'five']],
    ['all tags', { tags: ['nightly', 'eu'] }, ['one']],
    ['all sources', { sources: ['uploads', 'main'] }, ['two']],
    ['any schedule', { schedules: ['weekly', 'nightly'] }, ['five']],
    ['any host', { hosts: ['web-2', 'web-9'] }, ['two']],
    ['kinds', { kinds: ['restore-point'] }, ['point']],
    ['after includes, before does not', { after: at(2), before: at(3) }, ['two']],
    ['complete', { complete: false }, ['three']],
    ['proved', { verified: true }, ['two']],
    ['not proved', { verified: false }, ['five', 'three', 'one']],
    ['search in the name, any case', { search: 'migration BEFORE' }, ['two']],
    ['search in tags', { search: 'nightly' }, ['three', 'one']],
    ['search in labels', { search: '4.2' }, ['two']],
    ['search in the description', { search: 'weekly' }, ['five']],
    ['search in host', { search: 'web-2' }, ['two']],
    ['search in id', { search: 'c-thr' }, ['three']],
    ['every word must occur', { search: 'nightly weekly' }, []],
    ['all conditions hold together', { tags: ['nightly'], complete: true }, ['one']],
  ])('%s', (_, filter, expected) => expect(ids(filter)).toEqual(expected))

  it('does not sort the list it was given', () => {
    const given = [...ALL]
    filterSnapshots(given)
    expect(given).toEqual(ALL)
  })
})

describe('resolveSnapshot', () => {
  const id = (ref: SnapshotRef): string => resolveSnapshot(ALL, ref).id

  it('finds by id, prefix, latest and filter', () => {
    expect(id('2026b-two')).toBe('2026b-two')
    expect(id('2026d')).toBe('2026d-point')
    expect(id('latest')).toBe('2026e-five')
    expect(id({ latest: { before: at(3) } })).toBe('2026b-two')
    expect(id({ latest: { before: at(3), order: 'oldest' } })).toBe('2026b-two')
  })

  it('prefers an id to the prefix of another', () => {
    const two = [makeSnapshot({ id: 'abcd' }), makeSnapshot({ id: 'abcdef' })]
    expect(resolveSnapshot(two, 'abcd').id).toBe('abcd')
  })

  it('says which there are when a prefix fits several', () => {
    expect(() => id('2026')).toThrow(
      expect.objectContaining({
        code: 'SNAPSHOT_AMBIGUOUS',
        details: expect.objectContaining({
          candidates: ['2026d-point', '2026e-five', '2026c-three', '2026b-two', '2026a-one'],
        }),
      }),
    )
  })

  it.each<[string, SnapshotRef, string]>([
    ['an unknown id', '2025x', 'SNAPSHOT_NOT_FOUND'],
    ['a filter that fits none', { latest: { tags: ['x'] } }, 'SNAPSHOT_NOT_FOUND'],
    ['a prefix that is too short', '202', 'INVALID_OPTIONS'],
  ])('%s', (_, ref, code) => expect(() => id(ref)).toThrow(expect.objectContaining({ code })))

  it('has no latest in an empty repository', () => {
    expect(() => resolveSnapshot([], 'latest')).toThrow(expect.objectContaining({ code: 'SNAPSHOT_NOT_FOUND' }))
  })
})
