/** The configs of a repository: numbered from 1, each with the hash of the one before; the highest is the one to obey. */
import { equalBytes, mac } from '../crypto/aead.ts'
import { hex, sha256Hex } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { BackupError } from '../errors.ts'
import { type Config, configToSign, type ParsedConfig, parseConfig, requireFeatures } from '../model/config.ts'
import { unsupported } from '../model/json-record.ts'
import { withSeal } from '../model/json-record-lines.ts'
import type { Target } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
import { configKey } from './keys-layout.ts'

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

/**
 * The config to obey. CONFIG_TAMPERED unless all of them, from number 1 on, are as they were written, one upon the
 * other, under this keyring; FORMAT_UNSUPPORTED for what this code cannot read.
 */
export function verifyConfigs(stored: readonly StoredConfig[], keyring: Keyring): Config {
  let previous: { config: Config; hash: string } | undefined
  for (const [index, each] of stored.entries()) {
    if (each.n !== index + 1) throw tampered(configKey(index + 1), 'it is missing')
    const parsed = parse(each)
    checkMac(parsed, each.key, keyring)
    checkSuccession(parsed.config, previous, each.key)
    previous = { config: parsed.config, hash: sha256Hex(each.bytes) }
  }
  const { config } = previous!
  checkReadable(config)
  return config
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

function checkSuccession(config: Config, previous: { config: Config; hash: string } | undefined, key: string): void {
  if (config.previousHash !== (previous?.hash ?? null)) throw tampered(key, 'it does not follow the one before it')
  if (previous === undefined) return
  const { repositoryId, encrypted, epoch } = previous.config
  if (config.repositoryId !== repositoryId || config.encrypted !== encrypted || config.epoch < epoch) {
    throw tampered(key, 'it contradicts the one before it')
  }
}

function checkReadable(config: Config): void {
  requireFeatures(config, 'read')
  if (!ID_ALGORITHMS.includes(config.idAlgorithm)) throw unsupported('the repository', `ids by ${config.idAlgorithm}`)
  if (config.idBytes !== ID_BYTES) throw unsupported('the repository', `ids of ${config.idBytes} bytes`)
}

function tampered(key: string, why: string, cause?: unknown): BackupError {
  return new BackupError('CONFIG_TAMPERED', `${key} is not what was written: ${why}`, {
    origin: 'repository',
    details: { key },
    hint: 'Restore the objects below config/ from a copy of the repository; do not write to this one before that.',
    cause,
  })
}
