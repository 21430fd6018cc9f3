/** Copies of forgotten snapshots, `trash/<id>`: what can still be brought back. */
import { BackupError } from '../errors.ts'
import { decodeTrash, MAX_TRASH_BYTES, type Trash } from '../model/trash.ts'
import type { CallSignal } from '../targets/target.ts'
import { PREFIX, parseKey, trashKey } from './keys-layout.ts'
import type { Records } from './records.ts'
import { type DamagedObject, RecordListing } from './records-listing.ts'

export class TrashListing {
  private readonly listing: RecordListing<Trash>

  constructor(records: Records) {
    this.listing = new RecordListing(records, PREFIX.trash, (key, stored) => decode(records, key, stored))
  }

  /** In any order. Also of snapshots that are there still, where whoever forgot them was cut short. */
  async list(options: CallSignal): Promise<{ trash: Trash[]; damaged: readonly DamagedObject[] }> {
    const isTrash = (key: string): boolean => parseKey(key)?.area === 'trash'
    const { items, damaged } = await this.listing.list({ ...options, select: (keys) => keys.filter(isTrash) })
    return { trash: [...items.values()], damaged }
  }
}

/** Read anew. Undefined: there is none. @throws BackupError OBJECT_CORRUPT, FORMAT_UNSUPPORTED */
export async function findTrash(records: Records, id: string, options: CallSignal): Promise<Trash | undefined> {
  const key = trashKey(id)
  const stored = await records.find(key, options)
  return stored && decode(records, key, stored)
}

function decode(records: Records, key: string, stored: Uint8Array): Trash {
  const trash = decodeTrash(records.open('snapshots', key, stored, MAX_TRASH_BYTES), key)
  if (trashKey(trash.id) === key && trash.snapshot.id === trash.id) return trash
  throw new BackupError('OBJECT_CORRUPT', `${key} is damaged: it says that it is ${trash.id}`, {
    origin: 'repository',
    details: { key },
  })
}
