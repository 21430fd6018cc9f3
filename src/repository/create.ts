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
import { type Followed, followConfigs, sealConfig } from './config-chain.ts'
import { makeSlot, type NewSlot, type SlotHolder } from './key-slots.ts'
import type { Secret } from './key-slots-key.ts'
import { readSlots } from './key-slots-open.ts'
import { commitConfig } from './keys/commit-config.ts'
import { listSlots } from './keys/repository-keys.ts'
import { configKey } from './keys-layout.ts'
import { certainlyRefused } from './records.ts'

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

export interface Created extends Followed {
  readonly holder: SlotHolder | undefined
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
  const slot = secret === 'none' ? undefined : await putSlot(secret, repositoryId, keyring, options)
  const bytes = sealConfig(firstConfig(repositoryId, keyring, slot, options), 1, keyring)
  const key = configKey(1)
  const won = await commitConfig(target, key, bytes, signal).catch(async (error: unknown) => {
    if (certainlyRefused(error)) await removeSlot(target, slot?.key)
    throw error
  })
  if (!won) await removeSlot(target, slot?.key)
  else await removeStrangers(target, repositoryId)
  return won ? { ...followConfigs([{ n: 1, key, bytes }], { keyring }), holder: slot } : undefined
}

/** Best effort: a slot of a repository that never came to be harms nobody. */
async function removeSlot(target: Target, slot: string | undefined): Promise<void> {
  if (slot !== undefined) await target.delete([slot]).catch(() => {})
}

function firstConfig(
  repositoryId: string,
  keyring: Keyring,
  slot: NewSlot | undefined,
  options: CreateOptions,
): Config {
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
    ...(slot && { slots: { [slot.slot]: slot.record } }),
  }
}

async function putSlot(
  secret: Secret,
  repositoryId: string,
  keyring: Keyring,
  options: CreateOptions,
): Promise<NewSlot> {
  const { label = 'first', now, kdf, target, signal } = options
  const slot = await makeSlot(secret, { keyring, repositoryId, label, now, kdf, signal })
  await target.put(slot.key, slot.bytes, { ifAbsent: true, signal })
  return slot
}

/** Slots of creations that were interrupted or lost: they can open nothing any more. Left alone where that fails. */
async function removeStrangers(target: Target, repositoryId: string): Promise<void> {
  try {
    const keys = await listSlots(target)
    const slots = keys.length > 1 ? await readSlots(target, keys) : []
    const strangers = slots.filter((each) => 'slot' in each && each.slot.header.repositoryId !== repositoryId)
    if (strangers.length > 0) await target.delete(strangers.map(({ key }) => key))
  } catch (error) {
    if (!BackupError.is(error)) throw error
  }
}
