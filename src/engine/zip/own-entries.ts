/** The entries of a ZIP that this package has made, exactly as they were in the snapshot. */
import type { SourceEntry } from '../../sources/source.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { EntryLine } from '../../workers/zip/metadata-lines.ts'
import { type MetadataEntries, malformed } from './metadata-reader.ts'
import { zipError } from './zip-errors.ts'
import { bomb, type ZipIndex } from './zip-index.ts'
import type { ZipReader, ZipRecord } from './zip-reader.ts'

const BATCH_ENTRIES = 500

export class OwnEntries {
  private readonly reader: ZipReader
  private readonly index: ZipIndex
  private readonly entries: MetadataEntries
  private readonly maxEntries: number
  private count = 0
  /** Entries of the ZIP that were asked for. */
  private used = 0

  constructor(reader: ZipReader, index: ZipIndex, entries: MetadataEntries, maxEntries: number) {
    this.reader = reader
    this.index = index
    this.entries = entries
    this.maxEntries = maxEntries
  }

  async *of(source: string, prefix: string): AsyncGenerator<readonly SourceEntry[]> {
    if (this.index.has(userToLatin1(prefix))) this.used++
    let batch: SourceEntry[] = []
    for await (const { line, path } of this.entries.of(source)) {
      if (++this.count > this.maxEntries)
        throw bomb('entries', `it has more than ${this.maxEntries} entries`, this.maxEntries, 'maxEntries')
      batch.push(this.entry(line, path, userToLatin1(prefix)))
      if (batch.length < BATCH_ENTRIES) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  }

  private entry(line: EntryLine, path: string, prefix: string): SourceEntry {
    const { type, size, mode, uid, gid, mtimeNs, linkTarget, linkGroup, facts } = line
    const record = this.record(line, path, prefix)
    return {
      path: line.path,
      type,
      ...(size !== undefined && { size }),
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(mtimeNs !== undefined && { mtimeNs: BigInt.asIntN(64, BigInt(mtimeNs)) }),
      ...(linkTarget !== undefined && { linkTarget }),
      ...(linkGroup !== undefined && { linkGroup }),
      ...(facts && { facts }),
      ...(size && record && type !== 'symlink' && type !== 'directory' && this.content(record, line)),
    }
  }

  /** Names are made of paths, so no entry can have the content of another. */
  private record({ zip, type, size, sha256 }: EntryLine, path: string, prefix: string): ZipRecord | undefined {
    if (zip === undefined) {
      if (size && !CONTENTLESS.has(type)) throw zipError('ZIP_CORRUPT', 'metadata', 'it has no content', { name: path })
      return undefined
    }
    const name = userToLatin1(zip)
    const record = this.index.get(name)
    if (!record || (name !== prefix + path && name !== `${prefix + path}/`))
      throw zipError('ZIP_CORRUPT', 'missing', 'the metadata name it, but the ZIP does not have it', { name })
    const isFolder = name.endsWith('/')
    if (!isFolder && type !== 'symlink' && (sha256 === undefined || record.bytes !== (size ?? 0)))
      throw zipError('ZIP_CORRUPT', 'size', 'its size is not that of the metadata', { name })
    this.used++
    return record
  }

  private content(record: ZipRecord, { type, sha256, sparse }: EntryLine): Pick<SourceEntry, 'content'> {
    const open = (): AsyncIterable<Uint8Array> => this.reader.content(record, sha256)
    return { content: { from: 'stream', open, chunks: TABLES.has(type) ? 'table' : 'files', holes: sparse === true } }
  }

  /** After the last source: nothing may be in the ZIP that the metadata do not know. */
  async finish(): Promise<void> {
    await this.entries.requireEnd()
    const unknown = this.index.size - 1 - this.used
    if (unknown !== 0) throw malformed(`it does not name ${unknown} entries of the ZIP`)
  }
}

const CONTENTLESS: ReadonlySet<string> = new Set([
  'directory',
  'symlink',
  'fifo',
  'socket',
  'char-device',
  'block-device',
])
const TABLES: ReadonlySet<string> = new Set(['table', 'rows'])
