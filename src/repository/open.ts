/** Opening a repository: find it or create it, get its keys, and believe its config only once the keys confirm it. */
import type { IdAlgorithm } from '../crypto/chunk-id.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { Keyring } from '../crypto/keyring.ts'
import type { Warning } from '../events.ts'
import type { ChunkingProfileRecord, Config } from '../model/config.ts'
import type { Target } from '../targets/target.ts'
import type { Transform } from '../transforms/transform.ts'
import { createOpener, createSealer } from '../workers/box.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { claimedConfig, readConfigs, type StoredConfig, verifyConfigs } from './config-chain.ts'
import { createRepository } from './create.ts'
import { isCreatable, notFound } from './create-place.ts'
import { keyNeeded, notEncrypted } from './key-slots-errors.ts'
import { type Key, type Secret, secretOf } from './key-slots-key.ts'
import { type FoundSlot, openSlots, readSlots, slotsOf } from './key-slots-open.ts'
import { PREFIX, parseKey } from './keys-layout.ts'
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
  readonly keyring: Keyring
  readonly config: Config
  readonly target: Target
  /** Copies of stored bytes near by. */
  readonly cache: ObjectCache
  readonly records: Records
  readonly snapshots: Snapshots
  readonly notes: Notes
  readonly reports: Reports
  /** False: the target cannot create once, so two writers may overwrite each other's commit in theory. */
  readonly createOnly: boolean
  /** True: this call made it. */
  readonly created: boolean
  readonly warnings: readonly Warning[]
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
    if (made !== undefined) return assemble(options, made.config, made.keyring, true)
  }
  return openFound(options, secret, await lookAt(target, signal))
}

interface Found {
  readonly configs: readonly StoredConfig[]
  readonly slots: readonly FoundSlot[]
}

/** Both prefixes at once: the time to open is that of the key derivation and of two round trips. */
async function lookAt(target: Target, signal?: AbortSignal): Promise<Found> {
  const [configs, slots] = await Promise.all([findConfigs(target, signal), findSlots(target, signal)])
  return { configs, slots }
}

async function findConfigs(target: Target, signal?: AbortSignal): Promise<StoredConfig[]> {
  const numbers: number[] = []
  for await (const { key } of target.list(PREFIX.config, { signal })) {
    const parsed = parseKey(key)
    if (parsed?.area === 'config') numbers.push(parsed.n)
  }
  return readConfigs(target, numbers, signal)
}

async function findSlots(target: Target, signal?: AbortSignal): Promise<FoundSlot[]> {
  const keys: string[] = []
  for await (const { key } of target.list(PREFIX.keys, { signal })) if (parseKey(key)?.area === 'keys') keys.push(key)
  return readSlots(target, keys, signal)
}

async function openFound(options: OpenRepositoryOptions, secret: Secret | 'none', found: Found): Promise<Repository> {
  const claimed = claimedConfig(found.configs)
  const keyring = await keyringFor(options, secret, claimed, found.slots)
  return assemble(options, verifyConfigs(found.configs, keyring), keyring, false)
}

async function keyringFor(
  { target, signal }: OpenRepositoryOptions,
  secret: Secret | 'none',
  { encrypted, repositoryId }: Config,
  listed: readonly FoundSlot[],
): Promise<Keyring> {
  if (secret === 'none') {
    if (encrypted) throw keyNeeded()
    return Keyring.none(repositoryId)
  }
  if (!encrypted) throw notEncrypted()
  // A creation puts its slot before its config: listed at the same time as this one, the slot may have been missed.
  const slots = slotsOf(repositoryId, listed).length > 0 ? listed : await findSlots(target, signal)
  return openSlots(secret, repositoryId, slots, signal)
}

function assemble(options: OpenRepositoryOptions, config: Config, keyring: Keyring, created: boolean): Repository {
  const { target, transforms, registry } = options
  const { repositoryId } = config
  const sealer = createSealer({ keyring, repositoryId, transforms })
  const opener = createOpener({ keyring, repositoryId, transforms: registry })
  const records = new Records(target, sealer, opener)
  const cache = options.cache?.(repositoryId) ?? NO_CACHE
  const { createOnly } = target.traits
  return {
    repositoryId,
    keyring,
    config,
    target,
    cache,
    records,
    snapshots: new Snapshots(records, cache),
    notes: new Notes(records, cache),
    reports: new Reports(records, cache),
    createOnly,
    created,
    warnings: createOnly ? [] : [noCreateOnce(target)],
  }
}

function noCreateOnce({ name }: Target): Warning {
  return {
    code: 'NO_CREATE_ONCE',
    message: `${name} cannot create an object only if it does not exist; let one process at a time write to this repository`,
    details: { target: name },
  }
}
