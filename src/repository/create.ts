/**
 * Making a repository. The commit is `config/00000001`, created once: before it only a key slot lies there, which names
 * the repository that it belongs to. Whoever comes second finds that config, takes the own slot away, and opens what is
 * there.
 */
import { ID_BYTES, type IdAlgorithm, probeIdAlgorithm } from '../crypto/chunk-id.ts'
import { hex } from '../crypto/hash.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { Keyring } from '../crypto/keyring.ts'
import { randomBytes } from '../crypto/random.ts'
import { BackupError } from '../errors.ts'
import { type ChunkingProfileRecord, type Config, PRUNE_PROTOCOL } from '../model/config.ts'
import type { Target } from '../targets/target.ts'
import { sealConfig } from './config-chain.ts'
import { makeSlot } from './key-slots.ts'
import type { Secret } from './key-slots-key.ts'
import { readSlots } from './key-slots-open.ts'
import { configKey, PREFIX, parseKey } from './keys-layout.ts'
import { certainlyRefused, sameBytes } from './records.ts'

export interface CreateOptions {
  target: Target
  secret: Secret | 'none'
  now: Date
  signal?: AbortSignal | undefined
  /** Label of the first key slot. Default 'first'. */
  label?: string | undefined
  kdf?: KdfParameters | undefined
  /** Default: what this machine computes faster. */
  idAlgorithm?: IdAlgorithm | undefined
  chunking?: Readonly<Record<string, ChunkingProfileRecord>> | undefined
}

export interface Created {
  readonly config: Config
  readonly keyring: Keyring
}

const KIB = 1024

/** File contents and rows of tables; the sizes were chosen by measurement. */
export const DEFAULT_CHUNKING: Readonly<Record<string, ChunkingProfileRecord>> = {
  files: { algorithm: 'gear', minBytes: 128 * KIB, avgBytes: 512 * KIB, maxBytes: 2048 * KIB },
  table: { algorithm: 'gear', minBytes: 4 * KIB, avgBytes: 16 * KIB, maxBytes: 64 * KIB },
}

const REPOSITORY_ID_BYTES = 16

/** Undefined: somebody else created one in the meantime, and nothing of this attempt is left. */
export async function createRepository(options: CreateOptions): Promise<Created | undefined> {
  const { target, secret, signal } = options
  const repositoryId = hex(randomBytes(REPOSITORY_ID_BYTES))
  const keyring = secret === 'none' ? Keyring.none(repositoryId) : Keyring.create()
  const config = firstConfig(repositoryId, keyring, options)
  const slot = secret === 'none' ? undefined : await putSlot(secret, repositoryId, keyring, options)
  const won = await commitConfig(target, sealConfig(config, 1, keyring), signal).catch(async (error: unknown) => {
    if (certainlyRefused(error)) await removeSlot(target, slot)
    throw error
  })
  if (!won) await removeSlot(target, slot)
  else await removeStrangers(target, repositoryId)
  return won ? { config, keyring } : undefined
}

/** Best effort: a slot of a repository that never came to be harms nobody. */
async function removeSlot(target: Target, slot: string | undefined): Promise<void> {
  if (slot !== undefined) await target.delete([slot]).catch(() => {})
}

function firstConfig(repositoryId: string, keyring: Keyring, options: CreateOptions): Config {
  return {
    repositoryId,
    createdAt: options.now,
    encrypted: keyring.encrypted,
    epoch: keyring.newestEpoch,
    idAlgorithm: options.idAlgorithm ?? probeIdAlgorithm(),
    idBytes: ID_BYTES,
    chunking: { ...(options.chunking ?? DEFAULT_CHUNKING) },
    requiredFeatures: { read: [], write: [], prune: [] },
    pruneProtocol: PRUNE_PROTOCOL,
    previousHash: null,
  }
}

async function putSlot(
  secret: Secret,
  repositoryId: string,
  keyring: Keyring,
  options: CreateOptions,
): Promise<string> {
  const { label = 'first', now, kdf, target, signal } = options
  const { key, bytes } = await makeSlot(secret, { keyring, repositoryId, label, now, kdf })
  await target.put(key, bytes, { ifAbsent: true, signal })
  return key
}

/**
 * True if this config is the one that counts. Where it cannot be told (the reply was lost and reading fails too) the
 * error is thrown and the key slot stays: the config may be there, and would be worth nothing without it.
 */
async function commitConfig(target: Target, bytes: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<boolean> {
  const key = configKey(1)
  try {
    const created = await target.put(key, bytes, { ifAbsent: true, signal })
    if (created && target.traits.createOnly) return true
  } catch (error) {
    if (!BackupError.is(error) || !error.retryable) throw error
    return sameBytes(await readOr(target, key, error), bytes)
  }
  return sameBytes(await target.get(key, { signal }), bytes)
}

async function readOr(target: Target, key: string, original: BackupError): Promise<Uint8Array> {
  return target.get(key).catch(() => {
    throw original
  })
}

/** Slots of creations that were interrupted or lost: they can open nothing any more. Left alone where that fails. */
async function removeStrangers(target: Target, repositoryId: string): Promise<void> {
  try {
    const keys: string[] = []
    for await (const { key } of target.list(PREFIX.keys)) if (parseKey(key)?.area === 'keys') keys.push(key)
    const slots = keys.length > 1 ? await readSlots(target, keys) : []
    const strangers = slots.filter((each) => 'slot' in each && each.slot.header.repositoryId !== repositoryId)
    if (strangers.length > 0) await target.delete(strangers.map(({ key }) => key))
  } catch (error) {
    if (!BackupError.is(error)) throw error
  }
}
