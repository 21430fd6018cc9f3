/**
 * The records of a ZIP (APPNOTE 6.3). Written here rather than by archiver, whose ZIP keeps every entry as objects until the
 * end, a gigabyte for 100,000 of them.
 */

export const STORED = 0
export const DEFLATED = 8
/** Sizes and CRC follow the data. */
export const HAS_DESCRIPTOR = 0x8
const IS_UTF8 = 0x800
const UNIX = 3
const ZIP64_VERSION = 45
const VERSION = 20
const MAX_32 = 0xffff_ffff
const MAX_16 = 0xffff
/** Deflate may make content a little longer. */
const ZIP64_FROM = 0xf000_0000

/** What is known of an entry before it is read. */
export interface ZipEntryHead {
  readonly name: Buffer
  readonly isUtf8: boolean
  /** With the type of file. */
  readonly mode: number
  readonly isFolder: boolean
  /** Seconds since 1970. */
  readonly mtimeSeconds: number
  /** Uncompressed; for one whose length is not known, the most that it can be. */
  readonly sizeBound: number
}

export interface ZipEntryBody {
  readonly method: number
  readonly hasDescriptor: boolean
  readonly crc: number
  readonly storedBytes: number
  readonly bytes: number
}

function isLong({ sizeBound }: ZipEntryHead): boolean {
  return sizeBound >= ZIP64_FROM
}

function flagsOf(head: ZipEntryHead, body: ZipEntryBody): number {
  return (head.isUtf8 ? IS_UTF8 : 0) | (body.hasDescriptor ? HAS_DESCRIPTOR : 0)
}

export function localHeader(head: ZipEntryHead, body: ZipEntryBody): Buffer {
  const extra = Buffer.concat([timeExtra(head), isLong(head) ? localLongExtra(body) : Buffer.alloc(0)])
  const out = Buffer.alloc(30 + head.name.length + extra.length)
  out.writeUInt32LE(0x04034b50, 0)
  out.writeUInt16LE(isLong(head) ? ZIP64_VERSION : VERSION, 4)
  out.writeUInt16LE(flagsOf(head, body), 6)
  out.writeUInt16LE(body.method, 8)
  out.writeUInt32LE(dosTime(head.mtimeSeconds), 10)
  if (!body.hasDescriptor) out.writeUInt32LE(body.crc, 14)
  out.writeUInt32LE(isLong(head) ? MAX_32 : body.hasDescriptor ? 0 : body.storedBytes, 18)
  out.writeUInt32LE(isLong(head) ? MAX_32 : body.hasDescriptor ? 0 : body.bytes, 22)
  out.writeUInt16LE(head.name.length, 26)
  out.writeUInt16LE(extra.length, 28)
  head.name.copy(out, 30)
  extra.copy(out, 30 + head.name.length)
  return out
}

function localLongExtra({ hasDescriptor, bytes, storedBytes }: ZipEntryBody): Buffer {
  return hasDescriptor ? longExtra([0, 0]) : longExtra([bytes, storedBytes])
}

/** Empty where the entry has none. */
export function descriptor(head: ZipEntryHead, body: ZipEntryBody): Buffer {
  if (!body.hasDescriptor) return Buffer.alloc(0)
  const out = Buffer.alloc(isLong(head) ? 24 : 16)
  out.writeUInt32LE(0x08074b50, 0)
  out.writeUInt32LE(body.crc, 4)
  if (isLong(head)) {
    out.writeBigUInt64LE(BigInt(body.storedBytes), 8)
    out.writeBigUInt64LE(BigInt(body.bytes), 16)
  } else {
    out.writeUInt32LE(body.storedBytes, 8)
    out.writeUInt32LE(body.bytes, 12)
  }
  return out
}

export function centralHeader(head: ZipEntryHead, body: ZipEntryBody, offset: number): Buffer {
  const isSizeLong = body.bytes >= MAX_32 || body.storedBytes >= MAX_32
  const isFar = offset >= MAX_32
  const long = [...(isSizeLong ? [body.bytes, body.storedBytes] : []), ...(isFar ? [offset] : [])]
  const extra = Buffer.concat([timeExtra(head), longExtra(long)])
  const out = Buffer.alloc(46 + head.name.length + extra.length)
  out.writeUInt32LE(0x02014b50, 0)
  out.writeUInt16LE((UNIX << 8) | ZIP64_VERSION, 4)
  out.writeUInt16LE(isLong(head) || long.length > 0 ? ZIP64_VERSION : VERSION, 6)
  out.writeUInt16LE(flagsOf(head, body), 8)
  out.writeUInt16LE(body.method, 10)
  out.writeUInt32LE(dosTime(head.mtimeSeconds), 12)
  out.writeUInt32LE(body.crc, 16)
  out.writeUInt32LE(isSizeLong ? MAX_32 : body.storedBytes, 20)
  out.writeUInt32LE(isSizeLong ? MAX_32 : body.bytes, 24)
  out.writeUInt16LE(head.name.length, 28)
  out.writeUInt16LE(extra.length, 30)
  out.writeUInt32LE(((head.mode << 16) | (head.isFolder ? 0x10 : 0)) >>> 0, 38)
  out.writeUInt32LE(isFar ? MAX_32 : offset, 42)
  head.name.copy(out, 46)
  extra.copy(out, 46 + head.name.length)
  return out
}

export function endRecords(entries: number, directoryStart: number, directoryBytes: number): Buffer {
  const isLarge = entries >= MAX_16 || directoryStart >= MAX_32 || directoryBytes >= MAX_32
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(isLarge ? MAX_16 : entries, 8)
  end.writeUInt16LE(isLarge ? MAX_16 : entries, 10)
  end.writeUInt32LE(isLarge ? MAX_32 : directoryBytes, 12)
  end.writeUInt32LE(isLarge ? MAX_32 : directoryStart, 16)
  return isLarge ? Buffer.concat([longEnd(entries, directoryStart, directoryBytes), end]) : end
}

function longEnd(entries: number, directoryStart: number, directoryBytes: number): Buffer {
  const out = Buffer.alloc(56 + 20)
  out.writeUInt32LE(0x06064b50, 0)
  out.writeBigUInt64LE(44n, 4)
  out.writeUInt16LE((UNIX << 8) | ZIP64_VERSION, 12)
  out.writeUInt16LE(ZIP64_VERSION, 14)
  out.writeBigUInt64LE(BigInt(entries), 24)
  out.writeBigUInt64LE(BigInt(entries), 32)
  out.writeBigUInt64LE(BigInt(directoryBytes), 40)
  out.writeBigUInt64LE(BigInt(directoryStart), 48)
  out.writeUInt32LE(0x07064b50, 56)
  out.writeBigUInt64LE(BigInt(directoryStart + directoryBytes), 64)
  out.writeUInt32LE(1, 72)
  return out
}

function longExtra(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0)
  const out = Buffer.alloc(4 + 8 * values.length)
  out.writeUInt16LE(1, 0)
  out.writeUInt16LE(8 * values.length, 2)
  for (const [i, value] of values.entries()) out.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  return out
}

/** Extended timestamp: seconds in UTC, where they fit. */
function timeExtra({ mtimeSeconds }: ZipEntryHead): Buffer {
  if (mtimeSeconds < -0x8000_0000 || mtimeSeconds > 0x7fff_ffff) return Buffer.alloc(0)
  const out = Buffer.alloc(9)
  out.writeUInt16LE(0x5455, 0)
  out.writeUInt16LE(5, 2)
  out.writeUInt8(1, 4)
  out.writeInt32LE(mtimeSeconds, 5)
  return out
}

const DOS_FIRST = 0x0021_0000
const DOS_LAST = 0xff9f_bf7d

/** In UTC, so that the same snapshot gives the same bytes everywhere; readers that know the extra field use that. */
function dosTime(seconds: number): number {
  const date = new Date(Math.min(Math.max(seconds, -8e12), 8e12) * 1000)
  const year = date.getUTCFullYear()
  if (year < 1980) return DOS_FIRST
  if (year > 2107) return DOS_LAST
  const day = ((year - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1)
  return ((day << 16) | time) >>> 0
}
