/**
 * The stored form of one entry: `meta` (what a scan sees) and `streams` (where the content is). They are separate
 * byte strings so that an unchanged entry is recognised by one comparison of bytes and copied without being decoded.
 *
 *   record  = varint(meta bytes) meta varint(streams bytes) streams
 *   meta    = u8 type, u8 flags, path, [varint mode] [varint uid, varint gid] [i64 mtime ns] [varint size]
 *             [link target] [link group] [attributes: JSON]          text is varint(length) and bytes
 *   streams = varint count, then each: name, varint level, varint refs, refs (see chunk-list.ts)
 */
import type { Json } from '../errors.ts'
import { type ByteReader, type ByteWriter, MalformedBytes } from '../util/bytes.ts'

export const ENTRY_TYPES = [
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'char-device',
  'block-device',
  'table',
  'script',
  'blob',
] as const
export const TYPE_FILE = 0
export const TYPE_DIRECTORY = 1
export const TYPE_SYMLINK = 2
export const TYPE_TABLE = 7
export const TYPE_SCRIPT = 8
export const TYPE_BLOB = 9
/** Any other type; its name stands in the attribute `holdfast.type`. */
export const TYPE_OTHER = 255

/** Attribute: an object of the entry's extended attributes (ACLs are some too), name to value in base64. */
export const XATTRS_ATTRIBUTE = 'holdfast.xattrs'

export const MAX_PATH_BYTES = 1 << 16
const MAX_LINK_BYTES = 1 << 16
const MAX_GROUP_BYTES = 256
export const MAX_ATTRIBUTE_BYTES = 1 << 20
export const FINGERPRINT_BYTES = 16

const HAS_MODE = 1
const HAS_OWNER = 2
const HAS_MTIME = 4
const HAS_SIZE = 8
const HAS_TARGET = 16
const HAS_GROUP = 32
const HAS_ATTRIBUTES = 64

/** Texts that come from the file system are latin1 strings: one character a byte, exact whatever the bytes are. */
export interface EntryMeta {
  /** latin1, relative to the source, '/' between segments. */
  path: string
  /** Index into ENTRY_TYPES, or TYPE_OTHER. */
  type: number
  mode?: number | undefined
  uid?: number | undefined
  gid?: number | undefined
  mtimeNs?: bigint | undefined
  sizeBytes?: number | undefined
  /** latin1 */
  linkTarget?: string | undefined
  /** latin1; entries of one source with the same group are names of one file. */
  linkGroup?: string | undefined
  attributes?: Readonly<Record<string, Json>> | undefined
}

function flagsOf(meta: EntryMeta): number {
  return (
    (meta.mode === undefined ? 0 : HAS_MODE) |
    (meta.uid === undefined ? 0 : HAS_OWNER) |
    (meta.mtimeNs === undefined ? 0 : HAS_MTIME) |
    (meta.sizeBytes === undefined ? 0 : HAS_SIZE) |
    (meta.linkTarget === undefined ? 0 : HAS_TARGET) |
    (meta.linkGroup === undefined ? 0 : HAS_GROUP) |
    (meta.attributes === undefined ? 0 : HAS_ATTRIBUTES)
  )
}

export function writeMeta(out: ByteWriter, meta: EntryMeta): void {
  out.u8(meta.type)
  out.u8(flagsOf(meta))
  out.latin1(meta.path)
  if (meta.mode !== undefined) out.varint(meta.mode)
  if (meta.uid !== undefined) {
    out.varint(meta.uid)
    out.varint(meta.gid ?? 0)
  }
  if (meta.mtimeNs !== undefined) out.i64(meta.mtimeNs)
  if (meta.sizeBytes !== undefined) out.varint(meta.sizeBytes)
  if (meta.linkTarget !== undefined) out.latin1(meta.linkTarget)
  if (meta.linkGroup !== undefined) out.latin1(meta.linkGroup)
  if (meta.attributes !== undefined) out.utf8(JSON.stringify(meta.attributes))
}

/** A meta with extended attributes behind whatever other attributes it has. */
export function withXattrs(meta: EntryMeta, xattrs: Readonly<Record<string, string>>): EntryMeta {
  return { ...meta, attributes: { ...meta.attributes, [XATTRS_ATTRIBUTE]: xattrs } }
}

/** Those of an entry; undefined where it has none. */
export function xattrsOf({ attributes }: Pick<EntryMeta, 'attributes'>): Readonly<Record<string, string>> | undefined {
  const found = attributes?.[XATTRS_ATTRIBUTE]
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined
  const values = Object.entries(found).filter((each): each is [string, string] => typeof each[1] === 'string')
  return values.length === 0 ? undefined : Object.fromEntries(values)
}

export function readMeta(input: ByteReader): EntryMeta {
  const type = input.u8()
  const flags = input.u8()
  const meta: EntryMeta = { type, path: input.latin1(MAX_PATH_BYTES) }
  if (flags & HAS_MODE) meta.mode = input.varint()
  if (flags & HAS_OWNER) {
    meta.uid = input.varint()
    meta.gid = input.varint()
  }
  if (flags & HAS_MTIME) meta.mtimeNs = input.i64()
  if (flags & HAS_SIZE) meta.sizeBytes = input.varint()
  if (flags & HAS_TARGET) meta.linkTarget = input.latin1(MAX_LINK_BYTES)
  if (flags & HAS_GROUP) meta.linkGroup = input.latin1(MAX_GROUP_BYTES)
  if (flags & HAS_ATTRIBUTES) meta.attributes = parseAttributes(input.utf8(MAX_ATTRIBUTE_BYTES))
  return meta
}

function parseAttributes(text: string): Readonly<Record<string, Json>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, Json>
  } catch {
    // said below
  }
  throw new MalformedBytes('attributes are not a JSON object')
}

/** What hot loops need of a meta, without an object for each. */
export class MetaPeek {
  path = ''
  /** 0 where none is recorded. */
  sizeBytes = 0

  /** Of the meta that begins at the reader; the reader is left somewhere inside it. */
  read(input: ByteReader): void {
    input.take(1)
    const flags = input.u8()
    this.path = input.latin1(MAX_PATH_BYTES)
    if (flags & HAS_MODE) input.varint()
    if (flags & HAS_OWNER) {
      input.varint()
      input.varint()
    }
    if (flags & HAS_MTIME) input.take(8)
    this.sizeBytes = flags & HAS_SIZE ? input.varint() : 0
  }
}

/** Size alone, with no text decoded; 0 where none is recorded. The reader is left somewhere inside the meta. */
export function peekSize(input: ByteReader): number {
  input.take(1)
  const flags = input.u8()
  if ((flags & HAS_SIZE) === 0) return 0
  input.take(input.varint())
  if (flags & HAS_MODE) input.varint()
  if (flags & HAS_OWNER) {
    input.varint()
    input.varint()
  }
  if (flags & HAS_MTIME) input.take(8)
  return input.varint()
}

/** Path of the meta that begins at the reader, without decoding the rest. */
export function peekPath(input: ByteReader): string {
  const start = input.position
  input.take(2)
  const path = input.latin1(MAX_PATH_BYTES)
  input.position = start
  return path
}

export function typeName(meta: EntryMeta): string {
  const known = ENTRY_TYPES[meta.type]
  if (known !== undefined) return known === 'char-device' || known === 'block-device' ? 'device' : known
  const named = meta.attributes?.['holdfast.type']
  return typeof named === 'string' ? named : 'other'
}

/** Holds other entries and nothing else: a directory, or a table whose rows are entries of their own. */
export function isContainer({ type, sizeBytes }: EntryMeta): boolean {
  return type === TYPE_DIRECTORY || (type === TYPE_TABLE && !sizeBytes)
}

/** What an entry becomes in a folder: what holds others is a directory there, and what has content a file. */
export function placedType(meta: EntryMeta, name: string = typeName(meta)): number {
  const { type, sizeBytes } = meta
  if (type === TYPE_TABLE) return sizeBytes ? TYPE_FILE : TYPE_DIRECTORY
  if (type === TYPE_SCRIPT || type === TYPE_BLOB || name === 'rows') return TYPE_FILE
  return type === TYPE_OTHER && sizeBytes ? TYPE_FILE : type
}
