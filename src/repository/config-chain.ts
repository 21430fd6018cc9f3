/** The configs of a repository: numbered from 1, each with the hash of the one before; the highest is the one to obey. */
import { equalBytes, mac } from '../crypto/aead.ts'
import { openEpoch } from '../crypto/epoch-seal.ts'
import { hex, sha256Hex } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { BackupError } from '../errors.ts'
import { type Config, configToSign, type ParsedConfig, parseConfig, requireFeatures } from '../model/config.ts'
import { unsupported } from '../model/json-record.ts'
import { withSeal } from '../model/json-record-lines.ts'
import type { Target } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
import type { SlotHolder } from './key-slots.ts'
import { exchangedSlot, takenAway } from './key-slots-errors.ts'
import { configKey, slotKey } from './keys-layout.ts'

/** A config as it lies in the target; not to be trusted yet. */
export interface StoredConfig {
  readonly n: number
  readonly key: string
  readonly bytes: Uint8Array
}

const READS = 8
const ID_ALGORITHMS: readonly string[] = ['hmac-sha256', 'hmac-sha512-256']
const ID_BYTES = 32
const MAC_DOMAIN = new TextEncoder().encode('holdfast/1/config')

/** The object for a config: its content and the MAC over that and the object key, so over n too. */
export function sealConfig(config: Config, n: number, keyring: Keyring): Uint8Array<ArrayBuffer> {
  const signed = configToSign(config)
  return withSeal(signed, hex(macOf(keyring, config.epoch, configKey(n), signed)))
}

/** Reads configs by number, ascending. */
export async function readConfigs(
  target: Target,
  numbers: readonly number[],
  signal?: AbortSignal,
): Promise<StoredConfig[]> {
  const read = async (n: number, stop: AbortSignal): Promise<StoredConfig> => {
    const key = configKey(n)
    return { n, key, bytes: await target.get(key, { signal: stop }) }
  }
  const sorted = [...numbers].sort((a, b) => a - b)
  const configs: StoredConfig[] = []
  for await (const config of mapBounded(sorted, READS, read, signal)) configs.push(config)
  return configs
}

/** What the newest config says of itself, before there is a key to check it with. */
export function claimedConfig(stored: readonly StoredConfig[]): Config {
  return parse(stored.at(-1)!).config
}

/** The configs up to one that was checked: what the next one has to follow. */
export interface ConfigChain {
  readonly n: number
  /** SHA-256 of that object. */
  readonly hash: string
  /** Of all configs so far: that of number n at n - 1. */
  readonly hashes: readonly string[]
  readonly config: Config
}

export interface FollowOptions {
  /** With the secrets of the epochs that are known. */
  keyring: Keyring
  /** Whose slot new epochs are opened with. */
  holder?: SlotHolder | undefined
  /** What was checked before. */
  after?: ConfigChain | undefined
}

export interface Followed {
  readonly chain: ConfigChain
  /** With every epoch up to the newest. */
  readonly keyring: Keyring
}

/**
 * The config to obey. CONFIG_TAMPERED unless all of them, from number 1 on, are as they were written, one upon the
 * other, under this keyring; FORMAT_UNSUPPORTED for what this code cannot read.
 */
export function verifyConfigs(stored: readonly StoredConfig[], keyring: Keyring): Config {
  return followConfigs(stored, { keyring }).chain.config
}

/**
 * The same one by one, learning the keys of each new epoch on the way. KEY_WRONG where an epoch was not sealed to the
 * holder: the key was taken away before.
 */
export function followConfigs(stored: readonly StoredConfig[], options: FollowOptions): Followed {
  const { holder } = options
  let { keyring, after: chain } = options
  for (const each of stored) {
    const n = (chain?.n ?? 0) + 1
    if (each.n !== n) throw tampered(configKey(n), 'it is missing')
    const parsed = parse(each)
    checkSuccession(parsed.config, chain, each.key)
    keyring = learn(parsed.config, each.key, keyring, holder, chain)
    checkMac(parsed, each.key, keyring)
    const hash = sha256Hex(each.bytes)
    chain = { n, hash, hashes: [...(chain?.hashes ?? []), hash], config: parsed.config }
  }
  const { config } = chain!
  // A slot is made with the keys that the configs of its time had.
  if (keyring.newestEpoch > config.epoch) throw tampered(configKey(chain!.n + 1), 'it is missing')
  checkReadable(config)
  return { chain: chain!, keyring }
}

/** The keyring with this config's epoch. Where it cannot be had the MAC will not fit. */
function learn(
  config: Config,
  key: string,
  keyring: Keyring,
  holder: SlotHolder | undefined,
  before: ConfigChain | undefined,
): Keyring {
  const { repositoryId, epoch, rotation } = config
  if (keyring.has(epoch) || !keyring.encrypted || !rotation || !holder || !keyring.has(epoch - 1)) return keyring
  const named = before?.config.slots?.[holder.slot]
  // Checked already, other than this config; so it is the slot that is wrong, and not what was sealed to it.
  if (named !== undefined && named.hash !== holder.hash) throw exchangedSlot(slotKey(holder.slot))
  const sealed = rotation.sealed[holder.slot]
  if (sealed === undefined) throw takenAway(holder.slot, `${key} has newer keys, and not for this one`)
  const bytes = { ephemeral: Buffer.from(rotation.ephemeral, 'base64'), sealed: Buffer.from(sealed, 'base64') }
  const secret = openEpoch(keyring, holder, bytes, { repositoryId, epoch })
  if (secret === undefined) throw tampered(key, 'its new keys do not open')
  return keyring.withNewEpoch(secret)
}

function parse({ bytes, key }: StoredConfig): ParsedConfig {
  try {
    return parseConfig(bytes, key)
  } catch (error) {
    if (BackupError.is(error) && error.code === 'OBJECT_CORRUPT') throw tampered(key, error.message, error)
    throw error
  }
}

function checkMac({ config, signed, seal }: ParsedConfig, key: string, keyring: Keyring): void {
  const made = macOrNone(keyring, config, key, signed)
  if (made === undefined || !equalBytes(made, Buffer.from(seal, 'hex'))) throw tampered(key, 'its MAC is wrong')
}

function macOrNone(keyring: Keyring, config: Config, key: string, signed: Uint8Array): Uint8Array | undefined {
  try {
    return macOf(keyring, config.epoch, key, signed)
  } catch (error) {
    if (BackupError.is(error)) return undefined
    throw error
  }
}

function macOf(keyring: Keyring, epoch: number, key: string, signed: Uint8Array): Uint8Array {
  return mac(keyring.classKey('control', epoch), MAC_DOMAIN, new TextEncoder().encode(key), signed)
}

function checkSuccession(config: Config, previous: ConfigChain | undefined, key: string): void {
  if (config.previousHash !== (previous?.hash ?? null)) throw tampered(key, 'it does not follow the one before it')
  if (config.encrypted !== (config.slots !== undefined)) throw tampered(key, 'its key slots contradict it')
  if (previous === undefined) return
  const { repositoryId, encrypted, epoch } = previous.config
  const begun = config.rotation === undefined ? 0 : 1
  if (config.repositoryId !== repositoryId || config.encrypted !== encrypted || config.epoch !== epoch + begun) {
    throw tampered(key, 'it contradicts the one before it')
  }
}

function checkReadable(config: Config): void {
  requireFeatures(config, 'read')
  if (!ID_ALGORITHMS.includes(config.idAlgorithm)) throw unsupported('the repository', `ids by ${config.idAlgorithm}`)
  if (config.idBytes !== ID_BYTES) throw unsupported('the repository', `ids of ${config.idBytes} bytes`)
}

export function tampered(key: string, why: string, cause?: unknown): BackupError {
  return new BackupError('CONFIG_TAMPERED', `${key} is not what was written: ${why}`, {
    origin: 'repository',
    details: { key },
    hint: 'Restore the objects below config/ from a copy of the repository; do not write to this one before that.',
    cause,
  })
}
