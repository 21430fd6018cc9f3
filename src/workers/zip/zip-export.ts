/** The three walks of an export: content, metadata, directory. Only what is not in the snapshot is remembered between them. */
import { PassThrough, Readable } from 'node:stream'
import { latin1ToUser } from '../../util/paths.ts'
import { type Archive, createArchive } from './archive.ts'
import type { ContentFeed, ContentPart } from './content-feed.ts'
import type { ZipEntryHead } from './headers.ts'
import { entryLine, METADATA_NAME, METADATA_TAIL } from './metadata-lines.ts'
import { type ListedEntry, ZipContainer } from './zip-container.ts'
import type { ZipItem } from './zip-items.ts'

export interface ExportParts {
  /** Gives the same each time. */
  readonly items: () => AsyncIterable<ZipItem>
  readonly feed: ContentFeed
  readonly level: number
  /** Of `metadata.json`, up to its list of entries. */
  readonly metadataHead: string
  /** Seconds since 1970, of `metadata.json`. */
  readonly mtimeSeconds: number
}

/** What was written since it was last asked for. */
export interface ExportProgress {
  items: number
  bytes: number
  /** As users write it; '' where nothing was. */
  path: string
}

/** Lines of metadata that are handed on at a time. */
const LINES_BYTES = 64 * 1024
/** Metadata of fewer entries are surely shorter than 4 GiB. */
const LONG_METADATA_ENTRIES = 2000

export class ZipExport {
  /** Entries of the snapshot. */
  entries = 0
  private readonly parts: ExportParts
  private readonly container: ZipContainer
  private archive: Archive | undefined
  private long: PassThrough | undefined
  /** Resolves when the last long one has been written. */
  private longWritten: Promise<void> | undefined
  private progress: ExportProgress = { items: 0, bytes: 0, path: '' }
  private metadata: ListedEntry | undefined

  constructor(parts: ExportParts) {
    this.parts = parts
    this.container = new ZipContainer(parts.level, () => this.listed())
  }

  /** The bytes of the ZIP, in blocks that own their buffers. They are made as fast as they are taken. */
  async *blocks(): AsyncGenerator<Uint8Array, void, undefined> {
    const archive = await createArchive(this.container)
    this.archive = archive
    this.fill(archive).catch((error: Error) => archive.destroy(error))
    yield* archive as AsyncIterable<Uint8Array>
  }

  takeProgress(): ExportProgress {
    const taken = this.progress
    this.progress = { items: 0, bytes: 0, path: '' }
    return taken
  }

  /** After a failure, or where nobody wants the rest. */
  destroy(): void {
    this.container.destroy()
    this.long?.destroy()
    this.archive?.destroy()
  }

  private async fill(archive: Archive): Promise<void> {
    for await (const parts of this.parts.feed.parts()) {
      await this.add(archive, parts)
      // Its queue goes on after an error.
      if (archive.destroyed) return
      for (const part of parts) this.count(part)
    }
    await this.addMetadata(archive)
    await archive.finalize()
  }

  /** Resolves when all of whole items has been written. Of long ones something may be on its way. */
  private async add(archive: Archive, parts: readonly ContentPart[]): Promise<void> {
    const [first] = parts
    if (first && !(first.isFirst && first.isLast)) return this.addLong(archive, first)
    const whole = parts.filter(({ item }) => item.head)
    await new Promise<void>((resolve) => {
      for (const [i, { item, bytes }] of whole.entries()) {
        const callback = i === whole.length - 1 ? resolve : undefined
        archive.append(item.target ?? bytes, dataOf(item.head!, item, callback))
      }
      if (whole.length === 0) resolve()
    })
  }

  private async addLong(archive: Archive, { item, bytes, isFirst, isLast }: ContentPart): Promise<void> {
    if (!item.head) return
    if (isFirst) {
      const long = new PassThrough({ highWaterMark: 1 })
      this.long = long
      this.longWritten = new Promise((resolve) => archive.append(long, dataOf(item.head!, item, resolve)))
    }
    await written(this.long!, bytes)
    if (isLast) this.long!.end()
  }

  private count({ item, bytes, isLast }: ContentPart): void {
    const { progress } = this
    const { source, meta } = item
    progress.bytes += bytes.length
    progress.path = `${source.name}/${latin1ToUser(meta.path)}`
    if (!isLast || meta.path === '') return
    this.entries++
    progress.items++
  }

  private async addMetadata(archive: Archive): Promise<void> {
    // archiver reads ahead of a stream as soon as it has it, and what is not written yet has no hash.
    await this.longWritten
    const { mtimeSeconds } = this.parts
    const sizeBound = this.entries < LONG_METADATA_ENTRIES ? 0 : Number.MAX_SAFE_INTEGER
    const name = Buffer.from(METADATA_NAME)
    const head = { name, isUtf8: true, mode: 0o100600, isFolder: false, mtimeSeconds, sizeBound }
    let bytes = 0
    const counted = async function* (lines: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of lines) {
        bytes += piece.length
        yield piece
      }
    }
    const source = Readable.from(counted(this.metadataText()), { objectMode: false, highWaterMark: 1 })
    source.once('error', (error) => archive.destroy(error))
    await new Promise<void>((callback) => archive.append(source, dataOf(head, undefined, callback)))
    this.metadata = { head, bytes }
  }

  private async *metadataText(): AsyncGenerator<Buffer> {
    let text = this.parts.metadataHead
    let index = 0
    let isFirst = true
    for await (const item of this.parts.items()) {
      const record = item.head ? this.container.ledger.get(index++) : undefined
      if (item.meta.path === '') continue
      text += `${isFirst ? '' : ','}\n${entryLine(item, record)}`
      isFirst = false
      if (text.length < LINES_BYTES) continue
      yield Buffer.from(text)
      text = ''
    }
    yield Buffer.from(text + METADATA_TAIL)
  }

  private async *listed(): AsyncGenerator<ListedEntry> {
    for await (const { head, target, meta } of this.parts.items()) {
      if (head) yield { head, bytes: head.isFolder ? 0 : (target?.length ?? meta.sizeBytes ?? 0) }
    }
    if (this.metadata) yield this.metadata
  }
}

function dataOf(head: ZipEntryHead, item?: ZipItem, callback?: () => void) {
  const type = head.isFolder ? ('directory' as const) : ('file' as const)
  return { name: head.name.toString(), type, head, ...(item && { item }), ...(callback && { callback }) }
}

function written(stream: PassThrough, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(piece, (error) => (error ? reject(error) : resolve()))
  })
}
