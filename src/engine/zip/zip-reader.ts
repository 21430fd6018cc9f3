/** yauzl over blocks that are kept, with the checks that it leaves to others. */
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import type { Entry, LocalFileHeader, RandomAccessReader, ZipFile } from 'yauzl'
import { sha256Stream } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'
import { DEFLATED } from '../../workers/zip/headers.ts'
import type { ArchiveIn } from './archive-in.ts'
import { zipError } from './zip-errors.ts'

/** An entry as the directory has it. */
export interface ZipRecord {
  /** latin1, as it stands in the ZIP. */
  readonly name: string
  readonly offset: number
  /** Where the next entry, or the directory, begins. */
  limit: number
  readonly method: number
  readonly crc: number
  readonly storedBytes: number
  readonly bytes: number
  /** 0: it has none. */
  readonly mode: number
  readonly mtimeMs: number
}

type Yauzl = typeof import('yauzl')

export class ZipReader {
  readonly archive: ArchiveIn
  readonly zip: ZipFile
  readonly signal: AbortSignal

  private constructor(archive: ArchiveIn, zip: ZipFile, signal: AbortSignal) {
    this.archive = archive
    this.zip = zip
    this.signal = signal
  }

  /** @throws BackupError ZIP_CORRUPT */
  static async open(archive: ArchiveIn, signal: AbortSignal): Promise<ZipReader> {
    const { default: yauzl } = (await import('yauzl')) as unknown as { default: Yauzl }
    const options = { lazyEntries: true, autoClose: false, decodeStrings: false }
    const reader = blockReader(yauzl, archive)
    const zip = await asked<ZipFile>(signal, (done) =>
      yauzl.fromRandomAccessReader(reader, archive.size, options, done),
    )
    return new ZipReader(archive, zip, signal)
  }

  /** Not a part of yauzl's public face: where the directory begins, until its first entry is read. */
  get directoryStart(): number {
    return (this.zip as unknown as { readEntryCursor: number }).readEntryCursor
  }

  /** The directory, in its order. */
  async *entries(): AsyncGenerator<Entry> {
    const { zip } = this
    let settle: ((error: unknown, entry?: Entry) => void) | undefined
    const onEntry = (entry: Entry): void => settle?.(null, entry)
    const onEnd = (): void => settle?.(null)
    const onError = (error: unknown): void => settle?.(error)
    zip.on('entry', onEntry).on('end', onEnd).on('error', onError)
    for (;;) {
      const entry = await asked<Entry | undefined>(this.signal, (done) => {
        settle = done
        zip.readEntry()
      })
      if (!entry) return
      yield entry
    }
  }

  /**
   * The content of an entry, unpacked. Length and CRC, and the hash if it is known, are compared when all of it was given.
   * @throws BackupError ZIP_CORRUPT
   */
  async *content(record: ZipRecord, sha256?: string): AsyncGenerator<Uint8Array> {
    const start = await this.dataStart(record)
    const sum = sha256 === undefined ? undefined : sha256Stream()
    let crc = 0
    let bytes = 0
    for await (const piece of this.unpacked(record, start)) {
      crc = crc32(piece, crc)
      sum?.update(piece)
      bytes += piece.length
      yield piece
    }
    if (bytes !== record.bytes) throw corrupt(record, 'size', `it has ${bytes} bytes, not ${record.bytes}`)
    if (crc !== record.crc) throw corrupt(record, 'crc', 'its CRC is not that of its content')
    if (sum && sum.digestHex() !== sha256) throw corrupt(record, 'sha256', 'its SHA-256 is not that of the metadata')
  }

  /** The header before the data must say the same as the directory, and the data must end before the next entry. */
  private async dataStart(record: ZipRecord): Promise<number> {
    const place = { relativeOffsetOfLocalHeader: record.offset, compressedSize: record.storedBytes }
    const header = await asked<LocalFileHeader>(
      this.signal,
      (done) => this.zip.readLocalFileHeader(place as Entry, {}, done),
      record,
    )
    const isSame =
      header.fileName.toString('latin1') === record.name &&
      header.compressionMethod === record.method &&
      (header.generalPurposeBitFlag & 1) === 0
    if (!isSame) throw corrupt(record, 'header', 'what stands before its data is not what the directory says')
    if (header.fileDataStart + record.storedBytes > record.limit)
      throw corrupt(record, 'overlap', 'its data runs into what follows')
    return header.fileDataStart
  }

  private async *unpacked(record: ZipRecord, start: number): AsyncGenerator<Uint8Array> {
    const { storedBytes, bytes, method } = record
    if (storedBytes === 0 && bytes === 0) return
    const stream = await asked<Readable>(
      this.signal,
      (done) => this.zip.openReadStreamLowLevel(start, storedBytes, 0, storedBytes, method === DEFLATED, bytes, done),
      record,
    )
    try {
      // zlib gives views of a buffer that it goes on with.
      for await (const piece of stream) yield new Uint8Array(piece as Uint8Array)
    } catch (error) {
      throw this.meaning(error, record)
    } finally {
      stream.destroy()
    }
  }

  private meaning(error: unknown, record: ZipRecord): unknown {
    if (this.signal.aborted) return abortError(this.signal.reason)
    if (BackupError.is(error)) return error
    const isSize = error instanceof Error && /bytes in the stream/.test(error.message)
    return corrupt(record, isSize ? 'size' : 'data', messageOf(error), error)
  }

  async close(): Promise<void> {
    this.zip.close()
    await this.archive.close()
  }
}

function blockReader(yauzl: Yauzl, archive: ArchiveIn): RandomAccessReader {
  class BlockReader extends yauzl.RandomAccessReader {
    override _readStreamForRange(start: number, end: number): Readable {
      return Readable.from(ranges(archive, start, end), { objectMode: false })
    }

    override read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      callback: (error: Error | null) => void,
    ): void {
      fill(archive, buffer.subarray(offset, offset + length), position).then(
        () => setImmediateOnce(callback),
        (error: Error) => callback(error),
      )
    }
  }
  return new BlockReader()
}

/** Out of the promise: what a callback throws is not a failure to read. */
function setImmediateOnce(callback: (error: null) => void): void {
  queueMicrotask(() => callback(null))
}

async function* ranges(archive: ArchiveIn, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    const piece = await archive.read(at, end)
    if (piece.length === 0) throw new Error('the ZIP ends in the middle of an entry')
    at += piece.length
    yield piece
  }
}

async function fill(archive: ArchiveIn, buffer: Buffer, position: number): Promise<void> {
  let at = 0
  for await (const piece of ranges(archive, position, position + buffer.length)) {
    buffer.set(piece, at)
    at += piece.length
  }
}

/** A call of yauzl, whose errors are about the file: all it knows is that. */
function asked<T>(
  signal: AbortSignal,
  call: (done: (error: unknown, value?: T) => void) => void,
  record?: ZipRecord,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (!error) return resolve(value as T)
      if (signal.aborted) return reject(abortError(signal.reason))
      if (BackupError.is(error)) return reject(error)
      reject(corrupt(record, 'structure', messageOf(error), error))
    })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function corrupt(record: ZipRecord | undefined, reason: string, message: string, cause?: unknown): BackupError {
  if (/strong encryption/.test(message)) return zipError('ZIP_ENCRYPTED', 'strong', message, { cause })
  return zipError('ZIP_CORRUPT', reason, message, { ...(record && { name: record.name }), cause })
}
