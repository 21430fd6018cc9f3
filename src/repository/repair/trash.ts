/** Forgotten snapshots that can still be brought back, whatever state they are in. */
import { corrupt } from '../../model/json-record.ts'
import { decodeTrash, MAX_TRASH_BYTES, type Trash } from '../../model/trash.ts'
import type { CallSignal } from '../../targets/target.ts'
import { PREFIX, parseKey, trashKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'
import { type DamagedObject, RecordListing } from '../records-listing.ts'

export interface TrashListing {
  readonly trash: readonly Trash[]
  readonly damaged: readonly DamagedObject[]
}

export async function listTrash(records: Records, options: CallSignal): Promise<TrashListing> {
  const listing = new RecordListing(records, PREFIX.trash, (key, stored) => decode(records, key, stored))
  const select = (keys: readonly string[]): string[] => keys.filter((key) => parseKey(key)?.area === 'trash')
  const { items, damaged } = await listing.list({ ...options, select })
  return { trash: [...items.values()], damaged }
}

function decode(records: Records, key: string, stored: Uint8Array): Trash {
  const trash = decodeTrash(records.open('snapshots', key, stored, MAX_TRASH_BYTES), key)
  if (trashKey(trash.id) !== key || trash.snapshot.id !== trash.id) throw corrupt(key, `it says that it is ${trash.id}`)
  return trash
}
