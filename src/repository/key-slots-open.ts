/** Reads the slots of a repository and tries a caller's key on each. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError } from '../errors.ts'
import { MAX_SLOTS } from '../model/config.ts'
import { type ParsedKeySlot, parseKeySlot } from '../model/key-slot.ts'
import type { Target } from '../targets/target.ts'
import { throwIfAborted } from '../util/abort.ts'
import { mapBounded } from '../util/concurrency.ts'
import { checkSlot, type OpenedSlot, unwrapSlot } from './key-slots.ts'
import { damagedSlot, noSlots, wrongKey } from './key-slots-errors.ts'
import type { Secret } from './key-slots-key.ts'
import { PREFIX } from './keys-layout.ts'

/**
 * A slot as it was found; `error` where it cannot be used. `hash`: SHA-256 of the object in hex. `doubt`: what is said if it
 * does not open: it is not the one that should lie there.
 */
export type FoundSlot = { readonly key: string; readonly hash: string } & (
  | { readonly slot: ParsedKeySlot; readonly doubt?: BackupError }
  | { readonly error: BackupError }
)

const READS = 8

/**
 * Reads slots, no more than there can be: each may cost half a second, and anybody who can write to the target can add
 * some. Damage is in the result; only a failure of the target rejects.
 */
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
  const hash = sha256Hex(bytes)
  try {
    const slot = parseKeySlot(bytes, key)
    checkSlot(slot, key)
    return { key, hash, slot }
  } catch (error) {
    if (!BackupError.is(error)) throw error
    return { key, hash, error: error.code === 'OBJECT_CORRUPT' ? damagedSlot(key, error.message, error) : error }
  }
}

/** The slots that hold this repository's secrets, and those of which it cannot be told. */
export function slotsOf(repositoryId: string, found: readonly FoundSlot[]): FoundSlot[] {
  return found.filter((each) => 'error' in each || each.slot.header.repositoryId === repositoryId)
}

export function slotIdOf(key: string): string {
  return key.slice(PREFIX.keys.length)
}

/**
 * What the first slot holds that the secret opens. KEY_WRONG if every slot is sound and none opens; KEY_SLOT_CORRUPT or
 * FORMAT_UNSUPPORTED if one that cannot be used might have; KEY_PROVIDER_FAILED; OBJECT_MISSING if there is none.
 */
export async function openSlots(
  secret: Secret,
  repositoryId: string,
  found: readonly FoundSlot[],
  signal?: AbortSignal,
): Promise<OpenedSlot & { slot: string; hash: string }> {
  const slots = slotsOf(repositoryId, found)
  const errors: BackupError[] = []
  for (const each of slots) {
    throwIfAborted(signal)
    const opened = 'error' in each ? each.error : await tryUnwrap(secret, each.slot, each.key, signal)
    if (BackupError.is(opened)) errors.push(opened)
    else if (opened !== undefined) return { ...opened, slot: slotIdOf(each.key), hash: each.hash }
    else if ('doubt' in each) errors.push(each.doubt)
  }
  throw slots.length === 0 ? noSlots(repositoryId) : (worst(errors) ?? wrongKey(secret, kindsOf(slots)))
}

async function tryUnwrap(
  secret: Secret,
  slot: ParsedKeySlot,
  key: string,
  signal?: AbortSignal,
): Promise<OpenedSlot | BackupError | undefined> {
  try {
    return await unwrapSlot(secret, slot, key, signal)
  } catch (error) {
    if (BackupError.is(error) && !signal?.aborted) return error
    throw error
  }
}

function worst(errors: readonly BackupError[]): BackupError | undefined {
  const [first] = errors.filter(({ code }) => code === 'KEY_PROVIDER_FAILED')
  return first ?? errors.find(({ code }) => code === 'KEY_SLOT_CORRUPT') ?? errors[0]
}

function kindsOf(slots: readonly FoundSlot[]): string[] {
  return [...new Set(slots.flatMap((each) => ('slot' in each ? [each.slot.header.kind] : [])))]
}
