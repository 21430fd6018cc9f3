import { BackupError, type Json } from '../errors.ts'
import { ByteReader, MalformedBytes } from '../util/bytes.ts'

/** What a box holds; decides which key seals it. Its place in this list is its number in the header. */
export const BOX_CLASSES = ['ids', 'chunking', 'index', 'control', 'content', 'snapshots'] as const
export type BoxClass = (typeof BOX_CLASSES)[number]

/** How the key of a box is found. */
export const WRAP = {
  /** Derived from the epoch's key. */
  epoch: 0,
  /** Sealed to a public key in `wrapData`: reserved. */
  publicKey: 1,
  /** Not encrypted: a checksum takes the place of the tag. */
  none: 2,
} as const
export type WrapType = (typeof WRAP)[keyof typeof WRAP]

export const BOX_VERSION = 1
export const MAX_BOX_RAW_BYTES = 64 * 2 ** 20
export const MAX_BOX_STORED_BYTES = MAX_BOX_RAW_BYTES + 64 * 2 ** 10
export const MAX_BOX_TRANSFORMS = 8
export const MAX_TRANSFORM_ID_BYTES = 32
export const MAX_WRAP_DATA_BYTES = 4096
export const BOX_SALT_BYTES = 32
export const BOX_COMMITMENT_BYTES = 32

const MAGIC = 0x58424648 // 'HFBX', little endian
const PREFIX_BYTES = 4 + 1 + 1 + 2
const SUFFIX_BYTES = BOX_SALT_BYTES + BOX_COMMITMENT_BYTES + 3 * 4
const FIRST_SEALED_CLASS = BOX_CLASSES.indexOf('index')
const ID_PATTERN = /^[a-z0-9-]+$/

/** No header is longer. */
export const MAX_BOX_HEADER_BYTES =
  PREFIX_BYTES + MAX_WRAP_DATA_BYTES + 4 + 1 + 1 + MAX_BOX_TRANSFORMS * (1 + MAX_TRANSFORM_ID_BYTES) + SUFFIX_BYTES

export interface BoxHeader {
  readonly wrapType: WrapType
  readonly wrapData: Uint8Array
  readonly epoch: number
  readonly cls: BoxClass
  /** Ids in the order in which the content went through them, the encryption included. */
  readonly transforms: readonly string[]
  readonly salt: Uint8Array
  readonly commitment: Uint8Array
  /** Length of the content. */
  readonly rawBytes: number
  /** Length of what follows the header, tag or checksum included. */
  readonly storedBytes: number
  /** Zeros at the end of what was encrypted, which hide its length. */
  readonly padBytes: number
}

export function boxHeaderBytes(header: Pick<BoxHeader, 'wrapData' | 'transforms'>): number {
  const ids = header.transforms.reduce((sum, id) => sum + 1 + id.length, 0)
  return PREFIX_BYTES + header.wrapData.length + 4 + 1 + 1 + ids + SUFFIX_BYTES
}

/** Writes the header into `out` at `offset` and gives its length. The caller made sure that it fits and is in bounds. */
export function encodeBoxHeader(header: BoxHeader, out: Uint8Array, offset: number): number {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  view.setUint32(offset, MAGIC, true)
  view.setUint8(offset + 4, BOX_VERSION)
  view.setUint8(offset + 5, header.wrapType)
  view.setUint16(offset + 6, header.wrapData.length, true)
  out.set(header.wrapData, offset + PREFIX_BYTES)
  let at = offset + PREFIX_BYTES + header.wrapData.length
  view.setUint32(at, header.epoch, true)
  view.setUint8(at + 4, BOX_CLASSES.indexOf(header.cls))
  at = writeIds(header.transforms, out, at + 5)
  out.set(header.salt, at)
  out.set(header.commitment, at + BOX_SALT_BYTES)
  at += BOX_SALT_BYTES + BOX_COMMITMENT_BYTES
  view.setUint32(at, header.rawBytes, true)
  view.setUint32(at + 4, header.storedBytes, true)
  view.setUint32(at + 8, header.padBytes, true)
  return at + 12 - offset
}

function writeIds(ids: readonly string[], out: Uint8Array, offset: number): number {
  let at = offset
  out[at++] = ids.length
  for (const id of ids) {
    out[at++] = id.length
    for (let i = 0; i < id.length; i++) out[at++] = id.charCodeAt(i)
  }
  return at
}

/**
 * Reads the header at `offset`. Every length is checked against its limit before anything of that length is made. Salt
 * and commitment are views into `bytes`.
 * @throws BackupError OBJECT_CORRUPT; FORMAT_UNSUPPORTED: written by a newer release
 */
export function decodeBoxHeader(bytes: Uint8Array, offset: number): { header: BoxHeader; headerBytes: number } {
  if (!Number.isInteger(offset) || offset < 0) throw corrupt('place')
  const reader = new ByteReader(bytes, offset)
  try {
    const header = readHeader(reader)
    return { header, headerBytes: reader.position - offset }
  } catch (error) {
    if (error instanceof MalformedBytes) throw corrupt('too short')
    throw error
  }
}

function readHeader(reader: ByteReader): BoxHeader {
  if (reader.u32() !== MAGIC) throw corrupt('magic')
  checkVersion(reader.u8())
  const wrapType = decodeWrapType(reader.u8())
  const wrapData = reader.raw(limited(reader.u8() + reader.u8() * 256, MAX_WRAP_DATA_BYTES, 'wrap data'))
  if (wrapData.length > 0) throw corrupt('wrap data')
  const epoch = reader.u32()
  const cls = decodeClass(reader.u8())
  const transforms = readIds(reader)
  const salt = reader.raw(BOX_SALT_BYTES)
  const commitment = reader.raw(BOX_COMMITMENT_BYTES)
  const rawBytes = limited(reader.u32(), MAX_BOX_RAW_BYTES, 'raw length')
  const storedBytes = limited(reader.u32(), MAX_BOX_STORED_BYTES, 'stored length')
  const padBytes = limited(reader.u32(), storedBytes, 'pad length')
  return { wrapType, wrapData, epoch, cls, transforms, salt, commitment, rawBytes, storedBytes, padBytes }
}

/** The error for a box that is not what was written. */
export function boxCorrupt(reason: string, details: Record<string, Json> = {}, cause?: unknown): BackupError {
  return new BackupError('OBJECT_CORRUPT', `Stored data is damaged: ${reason}`, {
    origin: 'repository',
    details: { ...details, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}

function corrupt(reason: string): BackupError {
  return boxCorrupt(`box header: ${reason}`)
}

function unsupported(details: Record<string, Json>): BackupError {
  return new BackupError('FORMAT_UNSUPPORTED', 'Stored data was written in a format that needs a newer release', {
    origin: 'repository',
    details,
  })
}

function checkVersion(version: number): void {
  if (version > BOX_VERSION) throw unsupported({ version, supported: BOX_VERSION })
  if (version !== BOX_VERSION) throw corrupt('version')
}

function decodeWrapType(value: number): WrapType {
  if (value === WRAP.epoch || value === WRAP.none) return value
  if (value === WRAP.publicKey) throw unsupported({ wrapType: value })
  throw corrupt('wrap type')
}

function decodeClass(value: number): BoxClass {
  const cls = BOX_CLASSES[value]
  if (cls === undefined || value < FIRST_SEALED_CLASS) throw corrupt('class')
  return cls
}

function readIds(reader: ByteReader): string[] {
  const count = limited(reader.u8(), MAX_BOX_TRANSFORMS, 'transform count')
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const id = reader.raw(limited(reader.u8(), MAX_TRANSFORM_ID_BYTES, 'transform id')).toString('latin1')
    if (!ID_PATTERN.test(id)) throw corrupt('transform id')
    ids.push(id)
  }
  return ids
}

function limited(value: number, max: number, what: string): number {
  if (value > max) throw corrupt(`${what} out of bounds`)
  return value
}
