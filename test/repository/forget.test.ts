import { expect, it } from 'vitest'
import { timeOfId } from '../../src/model/ids.ts'
import { forgetSnapshot } from '../../src/repository/prune/forget.ts'
import { freshRepository, putSnapshot, snapshotOf } from './fixtures.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const DRAWN = Date.parse('2026-06-02T12:00:00.123Z')
const ID = '20260602t120000123-k3f9qhw2zt'

/** What is left at its key when a snapshot with this id and time is forgotten at `now`. */
async function left({ id = ID, createdAt, nowMs }: { id?: string; createdAt: Date; nowMs: number }): Promise<string> {
  const repository = await freshRepository()
  const { records, snapshots } = repository
  await putSnapshot(repository, { ...snapshotOf(id), createdAt })
  expect(await forgetSnapshot({ records, id, now: new Date(nowMs), by: 'run-f' })).toBe('forgotten')
  const { tombstones, snapshots: found } = await snapshots.list()
  expect(found).toEqual([])
  return tombstones.get(id)?.reason ?? 'nothing'
}

it('knows when an id was drawn', () => {
  expect(timeOfId(ID)).toBe(DRAWN)
  for (const other of ['run-1', '20261341t120000123-k3f9qhw2zt', '20260602t120000123']) {
    expect(timeOfId(other), other).toBeUndefined()
  }
})

it('leaves a tombstone where the snapshot is younger than a day, and nothing where it is older', async () => {
  const createdAt = new Date(DRAWN)
  expect(await left({ createdAt, nowMs: DRAWN + DAY_MS - 1 })).toBe('forgotten')
  expect(await left({ createdAt, nowMs: DRAWN + DAY_MS + 1 })).toBe('nothing')
})

it('goes by the id of a copy, which keeps the time of what it is a copy of', async () => {
  const createdAt = new Date(DRAWN - 300 * DAY_MS)
  expect(await left({ createdAt, nowMs: DRAWN + 1000 })).toBe('forgotten')
})

it('leaves a tombstone where nobody can say when the id was drawn', async () => {
  const createdAt = new Date(DRAWN - 300 * DAY_MS)
  expect(await left({ id: 'run-1', createdAt, nowMs: DRAWN })).toBe('forgotten')
})
