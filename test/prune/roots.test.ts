import { expect, it } from 'vitest'
import { encodeTrash } from '../../src/model/trash.ts'
import { RootListing } from '../../src/repository/prune/roots.ts'
import { freshRepository, putSnapshot, snapshotOf } from '../repository/fixtures.ts'

const LONG_AGO = new Date('2026-01-01T00:00:00Z')
const EXPIRY = new Date('2026-06-01T00:00:00Z')

/** A forgetting that was cut short has left it; the next one is about to put it anew, and a prune must not take that one away. */
it('the copy of a snapshot that is still there is not what a prune drops', async () => {
  const repository = await freshRepository()
  const { records } = repository
  const [there, gone] = [snapshotOf('run-a'), snapshotOf('run-b')]
  await putSnapshot(repository, there)
  for (const snapshot of [there, gone]) {
    const trash = encodeTrash({ id: snapshot.id, at: LONG_AGO, snapshot })
    await records.put('snapshots', `trash/${snapshot.id}`, trash)
  }
  const roots = await new RootListing(records).list(EXPIRY, {})
  expect(roots.snapshots.map(({ id }) => id)).toEqual(['run-a'])
  expect([roots.trash, roots.expired]).toEqual([[], ['run-b']])
})
