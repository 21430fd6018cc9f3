/**
 * Reads what a custom source's entries hold, as many streams at once as the source allows, spread over the workers. They
 * are opened in path order, across batches too, and records come back in the order of their entries.
 */
import type { Warning } from '../../events.ts'
import { type EntryMeta, readMeta } from '../../model/entry.ts'
import type { SourceEntry } from '../../sources/source.ts'
import { ByteReader } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ReadJob, ReadResult } from '../../workers/ingest/service.ts'
import type { StreamEnd, StreamHead } from '../../workers/ingest/stream-ingest.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { rowsIn } from '../rows.ts'
import { insteadOf, sendContent, streamHead } from './entry-content.ts'
import { finishedMeta, recordOf } from './entry-record.ts'
import { type ReadEntry, readResult, skipWarning } from './read-entries.ts'

export interface StreamReaderOptions {
  source: string
  /** Ingest sessions, one in each worker. */
  sessions: readonly Session[]
  /** Streams open at once. */
  concurrency: number
  signal: AbortSignal
  onUnreadable: 'fail' | 'skip'
  /** `unannounced`: how many of the bytes are beyond the size that the entry was announced with. */
  onBytes(bytes: number, unannounced: number, path: string): void
  /** An entry has been read. `rows`: as many as its source has counted in it. */
  onEntry(path: string, rows: number | undefined): void
  /** The first that could not be read: the others are of no use any more. */
  onFailure(error: unknown): void
}

/** Content that is in memory already holds nothing open, and waits for no source. */
const MAX_IN_MEMORY = 8

interface Lane {
  readonly session: Session
  entries: number
}

/** Of a kind of entries that wait for each other. */
class Slots {
  readonly limit: number
  used = 0

  constructor(limit: number) {
    this.limit = limit
  }
}

export class StreamReader {
  private readonly options: StreamReaderOptions
  private readonly lanes: Lane[]
  private readonly streams: Slots
  private readonly inMemory = new Slots(MAX_IN_MEMORY)
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined
  private nextId = 0

  constructor(options: StreamReaderOptions) {
    this.options = options
    this.lanes = options.sessions.map((session) => ({ session, entries: 0 }))
    this.streams = new Slots(options.concurrency)
  }

  /** Resolves when every entry of the job has been begun, to what waits for all of them to be read. */
  async begin(job: ReadJob, contents: ReadonlyMap<string, SourceEntry>): Promise<() => Promise<ReadResult>> {
    const input = new ByteReader(job.metas)
    const entries: Promise<ReadEntry>[] = []
    let readBytes = 0
    for (let i = 0; i < job.count; i++) {
      const end = input.u32() + input.position
      const meta = readMeta(input)
      input.position = end
      const entry = contents.get(meta.path)!
      const slots = entry.content!.from === 'bytes' ? this.inMemory : this.streams
      await this.free(slots)
      entries.push(
        this.start(slots, meta, entry, (bytes) => {
          readBytes += bytes
        }),
      )
    }
    return async () => readResult(job, await Promise.all(entries), readBytes)
  }

  /** Resolves when another stream may be opened. A source may be asked for more entries then, and not before. */
  room(): Promise<void> {
    return this.free(this.streams)
  }

  private async free(slots: Slots): Promise<void> {
    while (slots.used >= slots.limit) {
      this.check()
      await Promise.race(this.running)
    }
    this.check()
  }

  private check(): void {
    if (this.failure) throw this.failure.error
  }

  private start(slots: Slots, meta: EntryMeta, entry: SourceEntry, read: (bytes: number) => void): Promise<ReadEntry> {
    const lane = this.lanes.reduce((best, each) => (each.entries < best.entries ? each : best))
    slots.used++
    lane.entries++
    const result = this.read(lane.session, meta, entry, read)
    const tracked: Promise<void> = result
      .then(
        () => undefined,
        (error: unknown) => {
          this.fail(error)
        },
      )
      .finally(() => {
        slots.used--
        lane.entries--
        this.running.delete(tracked)
      })
    this.running.add(tracked)
    return result
  }

  private fail(error: unknown): void {
    if (this.failure) return
    this.failure = { error }
    this.options.onFailure(error)
  }

  private async read(
    session: Session,
    meta: EntryMeta,
    entry: SourceEntry,
    read: (bytes: number) => void,
  ): Promise<ReadEntry> {
    const { source, signal, onEntry, onUnreadable } = this.options
    const path = latin1ToUser(meta.path)
    let begun = 0
    const count = this.counter(entry, path)
    const onBytes = (bytes: number): void => {
      begun += bytes
      count(bytes)
    }
    try {
      const stream = streamHead(this.nextId++, source, entry)
      const sent = await sendContent(entry, { session, stream, signal, onBytes })
      const end = await endStream(session, stream, sent.tail)
      read(sent.bytes)
      const finished = await finishedMeta(source, meta, entry, end, signal)
      onEntry(path, rowsIn(finished.attributes))
      return { record: recordOf(finished, end), isOther: insteadOf(entry) !== undefined }
    } catch (error) {
      const warning: Warning | undefined = begun > 0 ? undefined : skipWarning(entry, error, onUnreadable)
      if (warning === undefined || signal.aborted) throw error
      onEntry(path, undefined)
      return { warning }
    }
  }

  private counter({ size = 0 }: SourceEntry, path: string): (bytes: number) => void {
    let total = 0
    return (bytes) => {
      const before = Math.max(total, size)
      total += bytes
      this.options.onBytes(bytes, Math.max(0, total - before), path)
    }
  }

  /** Waits for all that was begun, however it ends. */
  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.race(this.running)
  }
}

function endStream(session: Session, stream: StreamHead, bytes: Uint8Array<ArrayBuffer>): Promise<StreamEnd> {
  return session.call<StreamEnd>('end', { stream, bytes }, [bytes.buffer])
}
