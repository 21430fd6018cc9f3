/** Opening a repository: find it or create it, get its keys, and believe its config only once the keys confirm it. */
import type { IdAlgorithm } from '../crypto/chunk-id.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { Keyring } from '../crypto/keyring.ts'
import { BackupError, type ErrorCode } from '../errors.ts'
import { type ChunkingProfileRecord, type Config, MAX_SLOTS } from '../model/config.ts'
import type { Target } from '../targets/target.ts'
import type { Transform } from '../transforms/transform.ts'
import { createOpener, createSealer } from '../workers/segments/box.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { claimedConfig, type Followed, followConfigs, readConfigs, type StoredConfig } from './config-chain.ts'
import { createRepository } from './create.ts'
import { configGone, isCreatable, notFound } from './create-place.ts'
import type { SlotHolder } from './key-slots.ts'
import { exchangedSlot, keyNeeded, notEncrypted, takenAway } from './key-slots-errors.ts'
import { type Key, type Secret, secretOf } from './key-slots-key.ts'
import { type FoundSlot, openSlots, readSlots, slotIdOf } from './key-slots-open.ts'
import { listConfigs, listSlots, RepositoryKeys } from './keys/repository-keys.ts'
import { slotKey } from './keys-layout.ts'
import { Notes } from './notes.ts'
import { Records } from './records.ts'
import { Reports } from './reports.ts'
import { Snapshots } from './snapshots.ts'

export interface OpenRepositoryOptions {
  target: Target
  key: Key | 'none'
  /** 'if-empty': create one in an empty place. 'never': REPOSITORY_NOT_FOUND there. */
  create: 'if-empty' | 'never'
  /** For new data, in the order they are applied. */
  transforms: readonly Transform[]
  /** Finds the transforms that stored data names. */
  registry: Parameters<typeof createOpener>[0]['transforms']
  now: Date
  /** By which it is remembered when configs were looked at. Default: the system's. */
  clock?: { now(): Date } | undefined
  /** Makes the local cache of a repository. Default: none. */
  cache?: ((repositoryId: string) => ObjectCache) | undefined
  signal?: AbortSignal | undefined
  /** For a new repository: cost of the passphrase. Default 2^17, 8, 1 (128 MiB, half a second). */
  kdfParameters?: KdfParameters | undefined
  /** For a new repository. Default: what this machine computes faster. */
  idAlgorithm?: IdAlgorithm | undefined
  /** For a new repository. Default: `DEFAULT_CHUNKING`. */
  chunking?: Readonly<Record<string, ChunkingProfileRecord>> | undefined
}

/** An open repository: no timer, no worker, nothing to close but the target, which belongs to the caller. */
export interface Repository {
  readonly repositoryId: string
  /** Who may open it; `keyring` and `config` are of these, and change when somebody changes the keys. */
  readonly keys: RepositoryKeys
  readonly keyring: Keyring
  readonly config: Config
  readonly target: Target
  /** Copies of stored bytes near by. */
  readonly cache: ObjectCache
  readonly records: Records
  readonly snapshots: Snapshots
  readonly notes: Notes
  readonly reports: Reports
  /** True: this call made it. */
  readonly created: boolean
}

/**
 * Errors: REPOSITORY_NOT_FOUND, REPOSITORY_FOREIGN, KEY_MISSING, KEY_WRONG, KEY_SLOT_CORRUPT, CONFIG_TAMPERED,
 * FORMAT_UNSUPPORTED, OBJECT_MISSING (config or all key slots are gone), and what the target reports.
 */
export async function openRepository(options: OpenRepositoryOptions): Promise<Repository> {
  const { target, create, signal } = options
  const secret = options.key === 'none' ? 'none' : secretOf(options.key)
  const found = await lookAt(target, signal)
  if (found.configs.length > 0) return openFound(options, secret, found)
  if (await isCreatable(target, signal)) {
    if (create === 'never') throw notFound(target)
    const made = await createRepository({ ...options, secret, kdf: options.kdfParameters })
    if (made !== undefined) return assemble(options, made, true)
  }
  return openFound(options, secret, await lookAt(target, signal))
}

interface Found {
  readonly configs: readonly StoredConfig[]
  readonly slotKeys: readonly string[]
  readonly slots?: readonly FoundSlot[]
}

/** Both prefixes at once: the time to open is that of the key derivation and of two round trips. */
async function lookAt(target: Target, signal?: AbortSignal): Promise<Found> {
  const [configs, slots] = await Promise.all([findConfigs(target, signal), findSlots(target, signal)])
  return { configs, ...slots }
}

/** Of too many, only the config can say which count. */
async function findSlots(target: Target, signal?: AbortSignal): Promise<Pick<Found, 'slotKeys' | 'slots'>> {
  const slotKeys = await listSlots(target, signal)
  return { slotKeys, ...(slotKeys.length <= MAX_SLOTS && { slots: await readSlots(target, slotKeys, signal) }) }
}

async function findConfigs(target: Target, signal?: AbortSignal): Promise<StoredConfig[]> {
  return readConfigs(target, await listConfigs(target, signal), signal)
}

/** Once more where something does not fit: keys may have been changed between two of the requests. */
async function openFound(options: OpenRepositoryOptions, secret: Secret | 'none', found: Found): Promise<Repository> {
  try {
    return await openOnce(options, secret, found)
  } catch (error) {
    if (!BackupError.is(error) || !MAY_HAVE_CHANGED.has(error.code)) throw error
    const again = await lookAt(options.target, options.signal)
    if (sameFound(found, again)) throw error
    return openOnce(options, secret, again)
  }
}

const MAY_HAVE_CHANGED: ReadonlySet<ErrorCode> = new Set(['CONFIG_TAMPERED', 'KEY_WRONG', 'OBJECT_MISSING'])

function sameFound(a: Found, b: Found): boolean {
  const text = ({ configs, slotKeys }: Found): string => [...configs.map(({ key }) => key), ...slotKeys].sort().join()
  return text(a) === text(b)
}

async function openOnce(options: OpenRepositoryOptions, secret: Secret | 'none', found: Found): Promise<Repository> {
  // Seen a moment ago, and not in the list: taken away meanwhile, or the target's lists are late.
  if (found.configs.length === 0) throw configGone()
  const claimed = claimedConfig(found.configs)
  if (secret === 'none') {
    if (claimed.encrypted) throw keyNeeded()
    return assemble(options, followConfigs(found.configs, { keyring: Keyring.none(claimed.repositoryId) }), false)
  }
  if (!claimed.encrypted) throw notEncrypted()
  const { keyring, ...holder } = await openSlot(options, secret, claimed, found)
  const followed = followConfigs(found.configs, { keyring, holder })
  const named = followed.chain.config.slots?.[holder.slot]
  if (named === undefined) throw takenAway(holder.slot, 'its slot was removed')
  // Else a slot that was taken away could be put back in the place of one that counts.
  if (named.hash !== holder.hash) throw exchangedSlot(slotKey(holder.slot))
  return assemble(options, { ...followed, holder }, false)
}

/** Slots that count come first; one that does not may still open, and then it can be said why the key is of no use. */
async function openSlot(
  { target, signal }: OpenRepositoryOptions,
  secret: Secret,
  { slots = {}, repositoryId }: Config,
  found: Found,
): Promise<SlotHolder & { keyring: Keyring }> {
  const isNamed = (key: string): boolean => slots[slotIdOf(key)] !== undefined
  const counts = ({ key, hash }: FoundSlot): boolean => slots[slotIdOf(key)]?.hash === hash
  const read = found.slots ?? (await readSlots(target, found.slotKeys.filter(isNamed), signal))
  const others = read.filter((each) => !counts(each))
  const doubted = others.map((each) => (isNamed(each.key) ? { ...each, doubt: exchangedSlot(each.key) } : each))
  const ordered = [...read.filter(counts), ...doubted]
  return openSlots(secret, repositoryId, ordered, signal)
}

function assemble(
  options: OpenRepositoryOptions,
  made: Followed & { holder?: SlotHolder | undefined },
  created: boolean,
): Repository {
  const { target, transforms, registry, clock } = options
  const keys = new RepositoryKeys({ ...made, target, now: clock && (() => clock.now()) })
  const { keyring } = keys
  const { repositoryId } = keys.config
  const sealer = createSealer({ keyring, repositoryId, transforms })
  const opener = createOpener({ keyring, repositoryId, transforms: registry })
  const records = new Records(target, sealer, opener, keys)
  const cache = options.cache?.(repositoryId) ?? NO_CACHE
  return {
    repositoryId,
    keys,
    keyring,
    get config() {
      return keys.config
    },
    target,
    cache,
    records,
    snapshots: new Snapshots(records, cache),
    notes: new Notes(records, cache),
    reports: new Reports(records, cache),
    created,
  }
}
