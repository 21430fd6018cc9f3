/** Reads the slots of a repository and tries a caller's key on each. */
import type { Keyring } from '../crypto/keyring.ts'
import { BackupError } from '../errors.ts'
import { type ParsedKeySlot, parseKeySlot } from '../model/key-slot.ts'
import type { Target } from '../targets/target.ts'
import { throwIfAborted } from '../util/abort.ts'
import { mapBounded } from '../util/concurrency.ts'
import { checkSlot, unwrapSlot } from './key-slots.ts'
import { damagedSlot, noSlots, wrongKey } from './key-slots-errors.ts'
import type { Secret } from './key-slots-key.ts'

/** A slot as it was found; `error` where it cannot be used. */
export type FoundSlot =
  | { readonly key: string; readonly slot: ParsedKeySlot }
  | { readonly key: string; readonly error: BackupError }

/** More are not looked at: each may cost half a second, and anybody who can write to the target can add some. */
const MAX_SLOTS = 64
/** Larger objects are no slots. */
const READS = 8

/** Reads slots. Damage is in the result; only a failure of the target rejects. */
export async function readSlots(target: Target, keys: readonly string[], signal?: AbortSignal): Promise<FoundSlot[]> {
  const found: FoundSlot[] = []
  const some = [...keys].sort().slice(0, MAX_SLOTS)
  for await (const slot of mapBounded(some, READS, (key, stop) => readSlot(target, key, stop), signal)) {
    if (slot !== undefined) found.push(slot)
  }
  return found
}

async function readSlot(target: Target, key: string, signal: AbortSignal): Promise<FoundSlot | undefined> {
  try {
    const bytes = await target.get(key, { signal })
    return parseFound(key, bytes)
  } catch (error) {
    // Taken away since it was listed: by a creation that lost a race, or by the owner.
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
    throw error
  }
}

function parseFound(key: string, bytes: Uint8Array): FoundSlot {
  try {
    const slot = parseKeySlot(bytes, key)
    checkSlot(slot, key)
    return { key, slot }
  } catch (error) {
    if (!BackupError.is(error)) throw error
    return { key, error: error.code === 'OBJECT_CORRUPT' ? damagedSlot(key, error.message, error) : error }
  }
}

/** The slots that hold this repository's secrets, and those of which it cannot be told. */
export function slotsOf(repositoryId: string, found: readonly FoundSlot[]): FoundSlot[] {
  return found.filter((each) => 'error' in each || each.slot.header.repositoryId === repositoryId)
}

/**
 * The keyring that the secret opens. KEY_WRONG if every slot is sound and none opens; KEY_SLOT_CORRUPT or
 * FORMAT_UNSUPPORTED if one that cannot be used might have; OBJECT_MISSING if there is none.
 */
export async function openSlots(
  secret: Secret,
  repositoryId: string,
  found: readonly FoundSlot[],
  signal?: AbortSignal,
): Promise<Keyring> {
  const slots = slotsOf(repositoryId, found)
  const errors: BackupError[] = []
  for (const each of slots) {
    throwIfAborted(signal)
    const keyring = 'error' in each ? each.error : await tryUnwrap(secret, each.slot, each.key)
    if (BackupError.is(keyring)) errors.push(keyring)
    else if (keyring !== undefined) return keyring
  }
  throw slots.length === 0 ? noSlots(repositoryId) : (worst(errors) ?? wrongKey(secret, kindsOf(slots)))
}

async function tryUnwrap(secret: Secret, slot: ParsedKeySlot, key: string): Promise<Keyring | BackupError | undefined> {
  try {
    return await unwrapSlot(secret, slot, key)
  } catch (error) {
    if (BackupError.is(error)) return error
    throw error
  }
}

function worst(errors: readonly BackupError[]): BackupError | undefined {
  return errors.find(({ code }) => code === 'KEY_SLOT_CORRUPT') ?? errors[0]
}

function kindsOf(slots: readonly FoundSlot[]): string[] {
  return [...new Set(slots.flatMap((each) => ('slot' in each ? [each.slot.header.kind] : [])))]
}
