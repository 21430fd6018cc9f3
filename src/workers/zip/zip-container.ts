/**
 * The container behind archiver (a "module", as it calls what lies behind its queue). archiver's own ZIP keeps an object for
 * each entry until the directory is written; this one keeps 45 bytes, outside the heap or in a file, and has the rest told again.
 */
import type { Readable } from 'node:stream'
import type { EntryData } from 'archiver'
import { release } from '../../util/bytes.ts'
import { ArchiveOut } from './archive-out.ts'
import { centralHeader, descriptor, endRecords, localHeader, type ZipEntryBody, type ZipEntryHead } from './headers.ts'
import { Ledger } from './ledger.ts'
import { type StreamedEntry, type WrittenEntry, ZipWriter } from './zip-writer.ts'

/** What is given to archiver with each entry. `name` is for people: what stands in the ZIP are the bytes of `head`. */
export interface ZipEntryData extends EntryData {
  readonly head: ZipEntryHead
  /** Asked when all of it has been read. */
  readonly item?: { readonly hasHoles: boolean }
  /** Called when the entry has been written. */
  readonly callback?: () => void
}

/** Of an entry that was appended, for the directory. */
export interface ListedEntry {
  readonly head: ZipEntryHead
  readonly bytes: number
}

type Done = (error: unknown, data?: ZipEntryData) => void

export class ZipContainer {
  /** One record for each entry, in their order. */
  readonly ledger = new Ledger()
  private readonly out = new ArchiveOut()
  private readonly writer: ZipWriter
  private readonly listed: () => AsyncIterable<ListedEntry>
  private streamed: StreamedEntry | undefined

  /** `listed` gives all entries once more, in the same order. */
  constructor(level: number, listed: () => AsyncIterable<ListedEntry>) {
    this.writer = new ZipWriter(this.out, level)
    this.listed = listed
  }

  append(source: Buffer | Readable, data: ZipEntryData, done: Done): void {
    const written = Buffer.isBuffer(source) ? this.writer.add(data.head, source) : this.stream(source, data.head)
    written.then(
      (record) => {
        this.ledger.add({ ...record, hasHoles: data.item?.hasHoles ?? false })
        done(null, data)
      },
      (error) => done(error),
    )
  }

  /** Its pieces belong to the container. */
  private async stream(source: Readable, head: ZipEntryHead): Promise<WrittenEntry> {
    for await (const piece of source) {
      this.streamed ??= await this.writer.begin(head, piece as Buffer)
      await this.streamed.write(piece as Buffer)
      release(piece as Buffer)
    }
    const entry = this.streamed ?? (await this.writer.begin(head, new Uint8Array(0)))
    this.streamed = undefined
    return entry.end()
  }

  finalize(): void {
    this.directory().catch((error: Error) => this.out.stream.destroy(error))
  }

  private async directory(): Promise<void> {
    const start = this.out.position
    let index = 0
    let offset = 0
    for await (const { head, bytes } of this.listed()) {
      const body: ZipEntryBody = { ...this.ledger.get(index++), bytes }
      await this.out.write(centralHeader(head, body, offset))
      offset += localHeader(head, body).length + body.storedBytes + descriptor(head, body).length
    }
    await this.out.write(endRecords(index, start, this.out.position - start))
    await this.out.end()
  }

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.out.stream.on(event, listener)
  }

  pipe(to: NodeJS.WritableStream): void {
    this.out.stream.pipe(to)
  }

  unpipe(from: NodeJS.WritableStream): void {
    this.out.stream.unpipe(from)
  }

  /** After a failure. */
  destroy(): void {
    this.streamed?.destroy()
    this.out.stream.destroy()
    this.ledger.close()
  }
}
