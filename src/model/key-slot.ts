/** `keys/<slot>`: the repository's secrets, wrapped under one passphrase or key. Several slots open the same secrets. */
import * as z from 'zod'
import { REPOSITORY_ID_PATTERN } from './ids.ts'
import { check, corrupt, encodeFields, parseObject, unsupported } from './json-record.ts'
import { isoDate } from './json-record-fields.ts'
import { linesToSign, parseLines } from './json-record-lines.ts'

const VERSION = 1
const MAX_SLOT_BYTES = 128 * 1024
const MAX_WRAPPED_BYTES = 64 * 1024

const salt = z.base64().length(44)
const scryptKdf = z.strictObject({ name: z.literal('scrypt'), N: z.int(), r: z.int(), p: z.int(), salt })
/** For a key that is random already: only a salt, no cost. */
const hkdf = z.strictObject({ name: z.literal('hkdf-sha256'), salt })

const common = {
  /** Whose secrets these are. A slot of another repository (a creation that lost a race) opens nothing here. */
  repositoryId: z.string().regex(REPOSITORY_ID_PATTERN),
  label: z.string().max(256),
  createdAt: isoDate,
}
const schema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('passphrase'), ...common, kdf: scryptKdf }),
  z.strictObject({ kind: z.literal('raw'), ...common, kdf: hkdf }),
  z.strictObject({
    kind: z.literal('provider'),
    ...common,
    /** Which provider of the caller's unwraps it. */
    provider: z.string().min(1).max(256),
    /** 32 random bytes, as the provider has wrapped them. */
    wrapped: z.base64().max(22_000),
    kdf: hkdf,
  }),
])

/** Bound to the wrapped bytes as AAD. */
export type KeySlotHeader = z.output<typeof schema>

export interface ParsedKeySlot {
  readonly header: KeySlotHeader
  /** Bytes of the first lines: the AAD. */
  readonly headerBytes: Uint8Array
  readonly wrapped: Uint8Array
  /** What the checksum is made over. */
  readonly signed: Uint8Array
  /** SHA-256 of `signed` in hex: tells damage from a wrong passphrase, and is no protection. */
  readonly seal: string
}

export function keySlotHeaderBytes(header: KeySlotHeader): Uint8Array<ArrayBuffer> {
  return linesToSign('key', VERSION, [JSON.stringify(encodeFields(schema, header, 'key slot'))])
}

/** The slot without its last line, the checksum. */
export function keySlotToSign(headerBytes: Uint8Array, wrapped: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new TextEncoder().encode(`${Buffer.from(wrapped).toString('base64')}\n`)
  const bytes = new Uint8Array(headerBytes.length + line.length)
  bytes.set(headerBytes)
  bytes.set(line, headerBytes.length)
  return bytes
}

/** OBJECT_CORRUPT when damaged, FORMAT_UNSUPPORTED when newer or of a kind that is not known. The checksum is not checked. */
export function parseKeySlot(bytes: Uint8Array, key?: string): ParsedKeySlot {
  const { lines, signed, seal } = parseLines(
    bytes,
    { kind: 'key', version: VERSION, count: 2, maxBytes: MAX_SLOT_BYTES },
    key,
  )
  const [json, base64] = lines as [string, string]
  const object = parseObject(new TextEncoder().encode(json), key)
  if (typeof object.kind === 'string' && !['passphrase', 'raw', 'provider'].includes(object.kind)) {
    throw unsupported(key, `keys of kind '${object.kind.slice(0, 64)}'`)
  }
  const header = check(schema, object, key)
  const wrapped = Buffer.from(base64, 'base64')
  if (wrapped.length > MAX_WRAPPED_BYTES || wrapped.toString('base64') !== base64) {
    throw corrupt(key, 'its wrapped key is not base64')
  }
  return { header, headerBytes: signed.subarray(0, signed.length - base64.length - 1), wrapped, signed, seal }
}
