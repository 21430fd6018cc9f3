/** The three walks of an export: content, metadata, directory. Only what is not in the snapshot is remembered between them. */
import { latin1ToUser } from '../../util/paths.ts'
import type { SelectorPlain } from '../../workers/entry-selector.ts'
import type { Reading } from '../reading.ts'
import type { RunContext } from '../run-context.ts'
import type { Snapshot } from '../types-snapshot.ts'
import type { ArchiveOut } from './archive-out.ts'
import { contentParts } from './content-feed.ts'
import { type ExportItem, type ExportSource, exportItems } from './export-items.ts'
import { centralHeader, descriptor, endRecords, localHeader, type ZipEntryBody, type ZipEntryHead } from './headers.ts'
import { Ledger } from './ledger.ts'
import { entryLine, METADATA_NAME, METADATA_TAIL, metadataHead } from './metadata.ts'
import { type StreamedEntry, ZipWriter } from './zip-writer.ts'

export interface ExportWork {
  readonly reading: Reading
  readonly run: Pick<RunContext, 'progress' | 'signal'>
  readonly repository: string
  readonly snapshot: Snapshot
  readonly sources: readonly ExportSource[]
  readonly selector: SelectorPlain
  readonly level: number
}

/** Lines of metadata that are compressed at a time. */
const LINES_BYTES = 64 * 1024
/** Metadata of fewer entries are surely shorter than 4 GiB. */
const LONG_METADATA_ENTRIES = 2000

export class ZipExport {
  private readonly out: ArchiveOut
  private readonly work: ExportWork
  private readonly writer: ZipWriter
  private readonly ledger = new Ledger()
  private streamed: StreamedEntry | undefined
  private entries = 0

  constructor(out: ArchiveOut, work: ExportWork) {
    this.out = out
    this.work = work
    this.writer = new ZipWriter(out, work.level)
  }

  /** Gives the number of entries of the snapshot. */
  async write(): Promise<number> {
    try {
      await this.contents()
      this.work.run.progress.phase('directory')
      await this.directory(await this.metadata())
      return this.entries
    } finally {
      this.streamed?.destroy()
    }
  }

  private items(): AsyncGenerator<ExportItem> {
    const { reading, sources, selector } = this.work
    return exportItems(reading, sources, selector)
  }

  private async contents(): Promise<void> {
    const { progress } = this.work.run
    for await (const { item, bytes, isFirst, isLast } of contentParts(this.work.reading, this.items())) {
      const { source, meta, head, target } = item
      if (isFirst && isLast) {
        if (head) this.ledger.add(await this.writer.add(head, target ?? bytes))
      } else if (head) await this.part(head, bytes, isFirst, isLast)
      if (isLast && meta.path !== '') this.entries++
      const currentPath = `${source.name}/${latin1ToUser(meta.path)}`
      progress.add({ items: isLast && meta.path !== '' ? 1 : 0, bytes: bytes.length, currentPath })
    }
  }

  private async part(head: ZipEntryHead, bytes: Uint8Array, isFirst: boolean, isLast: boolean): Promise<void> {
    if (isFirst) this.streamed = await this.writer.begin(head, bytes)
    await this.streamed!.write(bytes)
    if (!isLast) return
    this.ledger.add(await this.streamed!.end())
    this.streamed = undefined
  }

  private async metadata(): Promise<Written> {
    const { snapshot, repository, sources } = this.work
    const head = metadataEntry(snapshot, this.entries)
    const offset = this.out.position
    let text = metadataHead(snapshot, repository, sources)
    const entry = await this.writer.begin(head, Buffer.from(text))
    this.streamed = entry
    let index = 0
    let isFirst = true
    for await (const item of this.items()) {
      const sha256 = item.head ? this.ledger.get(index++).sha256 : undefined
      if (item.meta.path === '') continue
      text += `${isFirst ? '' : ','}\n${entryLine(item, sha256)}`
      isFirst = false
      if (text.length < LINES_BYTES) continue
      await entry.write(Buffer.from(text))
      text = ''
    }
    await entry.write(Buffer.from(text + METADATA_TAIL))
    const body = await entry.end()
    this.streamed = undefined
    return { head, body, offset }
  }

  private async directory(metadata: Written): Promise<void> {
    const start = this.out.position
    let index = 0
    let offset = 0
    for await (const { head, target, meta } of this.items()) {
      if (!head) continue
      const bytes = head.isFolder ? 0 : (target?.length ?? meta.sizeBytes ?? 0)
      const body: ZipEntryBody = { ...this.ledger.get(index++), bytes }
      await this.out.write(centralHeader(head, body, offset))
      offset += localHeader(head, body).length + body.storedBytes + descriptor(head, body).length
    }
    await this.out.write(centralHeader(metadata.head, metadata.body, metadata.offset))
    await this.out.write(endRecords(index + 1, start, this.out.position - start))
  }
}

interface Written {
  head: ZipEntryHead
  body: ZipEntryBody
  offset: number
}

function metadataEntry({ createdAt }: Snapshot, entries: number): ZipEntryHead {
  return {
    name: Buffer.from(METADATA_NAME),
    isUtf8: true,
    mode: 0o100600,
    isFolder: false,
    mtimeSeconds: Math.floor(createdAt.getTime() / 1000),
    sizeBound: entries < LONG_METADATA_ENTRIES ? 0 : Number.MAX_SAFE_INTEGER,
  }
}
