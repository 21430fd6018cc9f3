/** `config/<n>`: how the repository is made. Readable without a key, and not to be trusted before its MAC is checked. */
import * as z from 'zod'
import { REPOSITORY_ID_PATTERN, SLOT_ID_PATTERN } from './ids.ts'
import { check, corrupt, encodeFields, parseObject, unsupported } from './json-record.ts'
import { count, hash, isoDate } from './json-record-fields.ts'
import { linesToSign, parseLines } from './json-record-lines.ts'

/** The format this code writes. */
export const FORMAT = 1
/** What this code can read, write and prune. A repository that needs more is refused, by what is asked of it. */
export const KNOWN_FEATURES: Features = { read: [], write: [], prune: [] }
export const PRUNE_PROTOCOL = 1
const MAX_CONFIG_BYTES = 64 * 1024
/** Each may cost half a second to try. */
export const MAX_SLOTS = 64

const featureNames = z.array(z.string().regex(/^[a-z0-9-]{1,64}$/)).max(64)
/** Half of the largest chunk that a reader takes, so that one always fits into a pack. */
const maxChunk = z
  .int()
  .min(64)
  .max(4 * 1024 * 1024)

const profile = z
  .strictObject({ algorithm: z.string().min(1).max(64), minBytes: maxChunk, avgBytes: maxChunk, maxBytes: maxChunk })
  .refine((p) => p.minBytes <= p.avgBytes && p.avgBytes <= p.maxBytes, 'expected min ≤ avg ≤ max')

const slotId = z.string().regex(SLOT_ID_PATTERN)
const base64Of = (chars: number) => z.base64().length(chars)

/** A key slot that counts: its public key (X25519, 32 bytes) and the SHA-256 of the object. */
const slot = z.strictObject({ publicKey: base64Of(44), hash })
/** The secret of the new epoch for each slot: 32 bytes of an X25519 key of its own, 48 bytes sealed. */
const rotation = z.strictObject({ ephemeral: base64Of(44), sealed: z.record(slotId, base64Of(64)) })

const schema = z.strictObject({
  repositoryId: z.string().regex(REPOSITORY_ID_PATTERN),
  createdAt: isoDate,
  /** False: nothing is secret, and the MAC is a checksum only. */
  encrypted: z.boolean(),
  /** Epoch of the key that the MAC is made with. */
  epoch: count,
  /** How chunk ids are made, and how long they are. */
  idAlgorithm: z.string().min(1).max(64),
  idBytes: z.int().min(16).max(64),
  /** How content is cut, by the name that entries give. */
  chunking: z.record(z.string().regex(/^[a-z0-9-]{1,32}$/), profile),
  /** What a program must know to read, to write, to prune here. */
  requiredFeatures: z.strictObject({ read: featureNames, write: featureNames, prune: featureNames }),
  pruneProtocol: z.int().min(1),
  /** SHA-256 of the config before this one; null in the first. */
  previousHash: hash.nullable(),
  /** The key slots that count, by id: all of them, each time. Absent where the repository is not encrypted. */
  slots: z.exactOptional(z.record(slotId, slot)),
  /** There where this config begins a new epoch, and only there. */
  rotation: z.exactOptional(rotation),
})

export type Config = z.output<typeof schema>
export type SlotRecord = NonNullable<Config['slots']>[string]
export type ChunkingProfileRecord = Config['chunking'][string]
export type Features = Readonly<Record<'read' | 'write' | 'prune', readonly string[]>>

export interface ParsedConfig {
  readonly config: Config
  /** What the MAC is made over, together with the object key. */
  readonly signed: Uint8Array
  /** The MAC in hex. */
  readonly seal: string
}

/** The config without its last line, the MAC. */
export function configToSign(config: Config): Uint8Array<ArrayBuffer> {
  return linesToSign('config', FORMAT, [JSON.stringify(encodeFields(schema, config, 'config'))])
}

/** OBJECT_CORRUPT when damaged, FORMAT_UNSUPPORTED when newer. The MAC is not checked. */
export function parseConfig(bytes: Uint8Array, key?: string): ParsedConfig {
  const shape = { kind: 'config', version: FORMAT, count: 1, maxBytes: MAX_CONFIG_BYTES }
  const { lines, signed, seal } = parseLines(bytes, shape, key)
  const config = check(schema, parseObject(new TextEncoder().encode(lines[0]!), key), key)
  if (!(config.idBytes <= 64 && Object.keys(config.chunking).length <= 64)) throw corrupt(key, 'it is out of bounds')
  if (Object.keys(config.slots ?? {}).length > MAX_SLOTS)
    throw corrupt(key, `it names more than ${MAX_SLOTS} key slots`)
  return { config, signed, seal }
}

/** Throws FORMAT_UNSUPPORTED unless this code may do that with a repository of this config. */
export function requireFeatures(config: Config, use: keyof Features): void {
  const unknown = config.requiredFeatures[use].filter((name) => !KNOWN_FEATURES[use].includes(name))
  if (unknown.length > 0) throw unsupported('the repository', `the features ${unknown.join(', ')} to ${use}`)
  if (use === 'prune' && config.pruneProtocol > PRUNE_PROTOCOL) {
    throw unsupported('the repository', `prune protocol ${config.pruneProtocol}`)
  }
}
