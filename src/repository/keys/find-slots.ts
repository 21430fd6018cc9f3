/** What is stored of the slots that count, and what is wrong with it. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { type KeySlotHeader, parseKeySlot } from '../../model/key-slot.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { checkSlot } from '../key-slots.ts'
import { damagedSlot, exchangedSlot } from '../key-slots-errors.ts'
import { slotIdOf } from '../key-slots-open.ts'
import { slotKey } from '../keys-layout.ts'
import { unknownKey } from './errors.ts'
import { listSlots, type RepositoryKeys } from './repository-keys.ts'

/** A slot that counts. `error`: nobody can open the repository with it. */
export type CheckedSlot = { readonly slot: string } & (
  | { readonly header: KeySlotHeader }
  | { readonly error: BackupError }
)

const READS = 8

/** Each against what the config says of it, so damage shows without its key, and so does a slot that was exchanged. */
export async function checkSlots(keys: RepositoryKeys, signal?: AbortSignal): Promise<CheckedSlot[]> {
  const checked: CheckedSlot[] = []
  const look = (slot: string, stop: AbortSignal): Promise<CheckedSlot> => checkOne(keys, slot, stop)
  for await (const each of mapBounded(Object.keys(keys.slots).sort(), READS, look, signal)) checked.push(each)
  return checked
}

async function checkOne({ target, slots }: RepositoryKeys, slot: string, signal: AbortSignal): Promise<CheckedSlot> {
  const key = slotKey(slot)
  try {
    const bytes = await target.get(key, { signal })
    const parsed = parseKeySlot(bytes, key)
    checkSlot(parsed, key)
    if (sha256Hex(bytes) !== slots[slot]?.hash) throw exchangedSlot(key)
    return { slot, header: parsed.header }
  } catch (error) {
    if (!BackupError.is(error)) throw error
    if (error.code === 'TARGET_OBJECT_NOT_FOUND') return { slot, error: missingSlot(key, error) }
    if (error.code === 'OBJECT_CORRUPT') return { slot, error: damagedSlot(key, error.message, error) }
    if (error.origin !== 'repository') throw error
    return { slot, error }
  }
}

/** Headers of the slots that are sound, by id, oldest first. */
export async function readableSlots(keys: RepositoryKeys, signal?: AbortSignal): Promise<Map<string, KeySlotHeader>> {
  const checked = await checkSlots(keys, signal)
  const sound = checked.flatMap((each) => ('header' in each ? [[each.slot, each.header] as const] : []))
  return new Map(sound.sort(([, a], [, b]) => a.createdAt.getTime() - b.createdAt.getTime()))
}

/** Slots that lie there and that no config names. They open nothing. */
export async function straySlots(keys: RepositoryKeys, signal?: AbortSignal): Promise<string[]> {
  const all = await listSlots(keys.target, signal)
  return all.filter((key) => keys.slots[slotIdOf(key)] === undefined)
}

/** KEY_NOT_FOUND, unless it counts or at least lies there. */
export async function requireKnown(keys: RepositoryKeys, slot: string, signal?: AbortSignal): Promise<void> {
  if (keys.slots[slot] !== undefined) return
  if (!(await straySlots(keys, signal)).includes(slotKey(slot))) throw unknownKey(slot)
}

function missingSlot(key: string, cause: BackupError): BackupError {
  return new BackupError('OBJECT_MISSING', `the key slot ${key} is gone`, {
    origin: 'repository',
    details: { key },
    hint: 'Restore the object from a copy of the repository, or remove the key with keys.remove().',
    cause,
  })
}
