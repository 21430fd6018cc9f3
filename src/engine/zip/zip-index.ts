/** The directory of a ZIP, checked before any content is read. */
import type { Entry } from 'yauzl'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { zipError } from './zip-errors.ts'
import type { ZipReader, ZipRecord } from './zip-reader.ts'

export interface ZipLimits {
  maxEntries: number
  maxBytes?: number
  maxRatio: number
}

/** By name, latin1. */
export type ZipIndex = ReadonlyMap<string, ZipRecord>

const ENCRYPTED = 0x1 | 0x40 | 0x2000
const LOCAL_HEADER_BYTES = 30
/** Less is no bomb, however well it packs. */
const RATIO_FROM_BYTES = 1024 ** 3
const MADE_ON = { unix: 3, darwin: 19 }

/** @throws BackupError ZIP_CORRUPT, ZIP_ENCRYPTED, ZIP_BOMB, UNSUPPORTED */
export async function readIndex(reader: ZipReader, limits: ZipLimits): Promise<ZipIndex> {
  const { entryCount } = reader.zip
  if (entryCount > limits.maxEntries)
    throw bomb('entries', `it has ${entryCount} entries`, limits.maxEntries, 'maxEntries')
  const { directoryStart } = reader
  const index = new Map<string, ZipRecord>()
  const mass = new Mass(limits, reader.archive.size)
  for await (const entry of reader.entries()) {
    throwIfAborted(reader.signal)
    const record = recordOf(entry, directoryStart)
    if (index.has(record.name))
      throw zipError('ZIP_CORRUPT', 'duplicate', 'there are two entries of this name', { name: record.name })
    index.set(record.name, record)
    mass.add(record)
  }
  setLimits([...index.values()])
  return index
}

function recordOf(entry: Entry, directoryStart: number): ZipRecord {
  const name = (entry.fileName as unknown as Buffer).toString('latin1')
  if (entry.generalPurposeBitFlag & ENCRYPTED) throw zipError('ZIP_ENCRYPTED', 'entry', 'it is encrypted', { name })
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) throw unknownMethod(name, entry.compressionMethod)
  const host = entry.versionMadeBy >>> 8
  const isUnix = host === MADE_ON.unix || host === MADE_ON.darwin
  return {
    name,
    offset: entry.relativeOffsetOfLocalHeader,
    limit: directoryStart,
    method: entry.compressionMethod,
    crc: entry.crc32,
    storedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    mode: isUnix ? entry.externalFileAttributes >>> 16 : 0,
    mtimeMs: entry.getLastModDate().getTime(),
  }
}

/** Each ends where the next begins, at the latest. What stands before the data of each is looked at when it is read. */
function setLimits(records: ZipRecord[]): void {
  records.sort((a, b) => a.offset - b.offset)
  for (const [i, record] of records.entries()) {
    record.limit = Math.min(record.limit, records[i + 1]?.offset ?? record.limit)
    const end = record.offset + LOCAL_HEADER_BYTES + record.name.length + record.storedBytes
    if (end > record.limit)
      throw zipError('ZIP_CORRUPT', 'overlap', 'its data runs into what follows', { name: record.name })
  }
}

class Mass {
  private readonly limits: ZipLimits
  private readonly archiveBytes: number
  private bytes = 0

  constructor(limits: ZipLimits, archiveBytes: number) {
    this.limits = limits
    this.archiveBytes = archiveBytes
  }

  add(record: ZipRecord): void {
    const { maxBytes = Number.POSITIVE_INFINITY, maxRatio } = this.limits
    this.bytes += record.bytes
    if (this.bytes > maxBytes) throw bomb('bytes', `it unpacks to more than ${maxBytes} bytes`, maxBytes, 'maxBytes')
    if (this.bytes > RATIO_FROM_BYTES && this.bytes / this.archiveBytes > maxRatio)
      throw bomb('ratio', `it unpacks to more than ${maxRatio} times its bytes`, maxRatio, 'maxRatio')
  }
}

export function bomb(reason: string, message: string, limit: number, option: string): BackupError {
  const hint = `Raise ${option} if you trust it.`
  return zipError('ZIP_BOMB', reason, message, { details: { limit }, hint })
}

function unknownMethod(name: string, method: number): BackupError {
  return new BackupError('UNSUPPORTED', `${JSON.stringify(name)} is compressed by method ${method}, not by deflate.`, {
    origin: 'source',
    details: { entry: name, method },
    hint: 'Make the ZIP again with deflate, or unpack it and back up the folder.',
  })
}
