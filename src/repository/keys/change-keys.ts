/**
 * Changes of who may open a repository. Each is one new config, created once, so changes that are made at the same time
 * come one after the other: who comes second looks again. A slot is stored, and opened again as a proof, before a config
 * names it; it is deleted only after a config no longer does.
 */

import { sealNextEpoch } from '../../crypto/epoch-seal.ts'
import { sha256Hex } from '../../crypto/hash.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import { MAX_EPOCHS } from '../../crypto/secret-bundle.ts'
import { BackupError } from '../../errors.ts'
import { type Config, MAX_SLOTS, requireFeatures, type SlotRecord } from '../../model/config.ts'
import { parseKeySlot } from '../../model/key-slot.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { followConfigs, sealConfig, tampered } from '../config-chain.ts'
import { makeSlot, type NewSlot, type SlotHolder, unwrapSlot } from '../key-slots.ts'
import { damagedSlot } from '../key-slots-errors.ts'
import type { Secret } from '../key-slots-key.ts'
import { configKey, slotKey } from '../keys-layout.ts'
import { certainlyRefused, sameBytes } from '../records.ts'
import { cleanupSignal } from '../runs.ts'
import { commitConfig } from './commit-config.ts'
import { lastKey, notEncryptedKeys, slotBroken, tooManyKeys } from './errors.ts'
import { readableSlots, requireKnown, straySlots } from './find-slots.ts'
import type { RepositoryKeys } from './repository-keys.ts'

export interface ChangeOptions {
  now: Date
  signal: AbortSignal
}

type Slots = Readonly<Record<string, SlotRecord>>

/** Others may change keys at the same time; more often than this in a row something else is wrong. */
const MAX_ATTEMPTS = 20

/** A new slot for that secret; all others stay. @throws BackupError LIMIT_EXCEEDED, KEY_PROVIDER_FAILED */
export async function addKey(
  keys: RepositoryKeys,
  secret: Secret,
  label: string,
  options: ChangeOptions,
): Promise<NewSlot> {
  return putSlot(keys, secret, options, () => ({ label, others: keys.slots }))
}

/** A new slot in place of an old one, in one step. Its label stays. @throws BackupError KEY_NOT_FOUND, KEY_PROVIDER_FAILED */
export async function changeKey(
  keys: RepositoryKeys,
  slot: string,
  secret: Secret,
  options: ChangeOptions,
): Promise<NewSlot> {
  const made = await putSlot(keys, secret, options, async () => {
    await requireKnown(keys, slot, options.signal)
    const label = (await readableSlots(keys, options.signal)).get(slot)?.label ?? ''
    return { label, others: without(keys.slots, slot), replaced: slot }
  })
  await dropSlots(keys, [slotKey(slot)])
  return made
}

/**
 * The slot opens nothing any more. Whoever had the key and kept the secrets is shut out of new data by a rotation only.
 * @throws BackupError KEY_NOT_FOUND; KEY_LAST where no other slot would be left that is sound
 */
export async function removeKey(keys: RepositoryKeys, slot: string, options: ChangeOptions): Promise<void> {
  await change(keys, options, async () => {
    await requireKnown(keys, slot, options.signal)
    const sound = await readableSlots(keys, options.signal)
    sound.delete(slot)
    if (sound.size === 0) throw lastKey(slot)
    return { config: { ...unrotated(keys), slots: without(keys.slots, slot) }, keyring: keys.keyring }
  })
  await dropSlots(keys, [slotKey(slot)])
}

/**
 * A new epoch: everything that is stored from now on is sealed under a secret that only the slots of now can get.
 * @throws BackupError LIMIT_EXCEEDED, KEY_SLOT_CORRUPT where a slot has no public key that can be used
 */
export async function rotateKeys(keys: RepositoryKeys, options: ChangeOptions): Promise<void> {
  await change(keys, options, () => {
    const { keyring } = keys
    const config = unrotated(keys)
    if (keyring.newestEpoch >= MAX_EPOCHS) throw tooManyKeys('epochs', MAX_EPOCHS)
    const publicKeys = new Map(Object.entries(keys.slots).map(([id, slot]) => [id, fromBase64(slot.publicKey)]))
    const next = sealNextEpoch(keyring, config.repositoryId, publicKeys)
    if ('badSlot' in next) throw slotBroken(next.badSlot)
    const { ephemeral, sealed } = next.sealed
    const rotation = {
      ephemeral: toBase64(ephemeral),
      sealed: Object.fromEntries([...sealed].map(([id, bytes]) => [id, toBase64(bytes)])),
    }
    return {
      config: { ...config, epoch: keyring.newestEpoch + 1, rotation },
      keyring: keyring.withNewEpoch(next.secret),
    }
  })
}

interface Wanted {
  label: string
  /** All that count beside the new one. */
  others: Slots
  replaced?: string
}

async function putSlot(
  keys: RepositoryKeys,
  secret: Secret,
  options: ChangeOptions,
  want: () => Wanted | Promise<Wanted>,
): Promise<NewSlot> {
  let made: NewSlot | undefined
  const giveUp = async (): Promise<void> => dropSlots(keys, made ? [made.key] : [])
  await change(
    keys,
    options,
    async () => {
      // Of an attempt that came second: it may lack keys that came in between, and others may be about to tidy it away.
      await giveUp()
      const { label, others, replaced } = await want()
      if (Object.keys(others).length >= MAX_SLOTS) throw tooManyKeys('key slots', MAX_SLOTS)
      made = await storeSlot(keys, secret, label, options)
      const config = { ...unrotated(keys), slots: { ...others, [made.slot]: made.record } }
      const holder = replaced !== undefined && replaced === keys.holder?.slot ? made : undefined
      return { config, keyring: keys.keyring, ...(holder && { holder }) }
    },
    giveUp,
  )
  return made!
}

/** Stored, read back and opened: only then may anything depend on it. */
async function storeSlot(
  keys: RepositoryKeys,
  secret: Secret,
  label: string,
  { now, signal }: ChangeOptions,
): Promise<NewSlot> {
  const { keyring, target } = keys
  const { repositoryId } = keys.config
  const made = await makeSlot(secret, { keyring, repositoryId, label, now, signal })
  throwIfAborted(signal)
  try {
    await target.put(made.key, made.bytes, { ifAbsent: true, signal })
    const stored = await target.get(made.key, { signal })
    const opened = sameBytes(stored, made.bytes)
      ? await unwrapSlot(secret, parseKeySlot(stored, made.key), made.key, signal)
      : undefined
    if (opened === undefined || !sameBytes(opened.keyring.encode(), keyring.encode())) {
      throw damagedSlot(made.key, 'what was stored does not open')
    }
    return made
  } catch (error) {
    await dropSlots(keys, [made.key])
    throw error
  }
}

interface Next {
  /** Number and hash of the one before are filled in. */
  config: Config
  /** What the config is sealed with. */
  keyring: Keyring
  holder?: SlotHolder
}

/** Makes the next config until it is the one that lies there. `refused`: nothing was changed, and never will be. */
async function change(
  keys: RepositoryKeys,
  { signal }: ChangeOptions,
  make: () => Next | Promise<Next>,
  refused: () => Promise<void> = async () => {},
): Promise<void> {
  if (!keys.keyring.encrypted) throw notEncryptedKeys()
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    await keys.refresh(signal)
    requireFeatures(keys.config, 'write')
    const { chain: before } = keys
    await requireSame(keys, signal)
    // What does not count now cannot count later: whoever wants to name one of these finds that a config came in between.
    const strays = await straySlots(keys, signal)
    const next = await make()
    const n = before.n + 1
    const key = configKey(n)
    const bytes = sealConfig({ ...next.config, previousHash: before.hash }, n, next.keyring)
    if (keys.chain.n !== before.n || !(await stored(keys, key, bytes, signal, refused))) continue
    keys.take(followConfigs([{ n, key, bytes }], { keyring: next.keyring, after: before }), next.holder)
    return dropSlots(keys, strays)
  }
  throw new BackupError('RUN_EXISTS', 'others change the keys again and again', { origin: 'usage', retryable: true })
}

async function stored(
  { target }: RepositoryKeys,
  key: string,
  bytes: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
  refused: () => Promise<void>,
): Promise<boolean> {
  if (signal.aborted) await refused()
  throwIfAborted(signal)
  return commitConfig(target, key, bytes, signal).catch(async (error: unknown) => {
    if (certainlyRefused(error)) await refused()
    throw error
  })
}

/**
 * The newest config is still the one that was checked. Another of its number (where the target cannot create once, or
 * somebody has put one there) must not get a successor that fits to none of both.
 */
async function requireSame({ target, chain }: RepositoryKeys, signal: AbortSignal): Promise<void> {
  const key = configKey(chain.n)
  if (sha256Hex(await target.get(key, { signal })) !== chain.hash) throw tampered(key, 'it was exchanged')
}

/** `rotation` is said once, by the config that begins an epoch. */
function unrotated({ config }: RepositoryKeys): Config {
  const { rotation: _, ...rest } = config
  return rest
}

/** Best effort: what no config names opens nothing. */
async function dropSlots({ target }: RepositoryKeys, slots: readonly string[]): Promise<void> {
  if (slots.length > 0) await target.delete(slots, { signal: cleanupSignal() }).catch(() => {})
}

function without(slots: Slots, slot: string): Slots {
  return Object.fromEntries(Object.entries(slots).filter(([id]) => id !== slot))
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
