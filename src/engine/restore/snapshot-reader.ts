/** What a sink reads of a snapshot: the chosen entries of one source, and the content of any. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, typeName } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { streamBytes } from '../../model/streams.ts'
import type { SinkEntry, SinkReader } from '../../sources/sink.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { FoundEntry } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { entryNotFound } from '../browse/entry-path.ts'
import { PieceQueue } from '../browse/piece-queue.ts'
import { contentOf, NO_CONTENT } from '../browse/read.ts'
import type { Reading } from '../reading/reading.ts'
import { rowsIn } from '../rows.ts'
import { ContentLanes } from './content-lanes.ts'
import { type ReaderProgress, SINK_PROGRESS_OFF } from './reader-progress.ts'
import type { Renames } from './renames.ts'
import { type ChosenEntry, selectedEntries } from './selected-entries.ts'

export interface SnapshotReaderOptions {
  snapshot: string
  source: string
  /** Null: the source has no entries. */
  root: TreeRoot | null
  select: SelectorPlain
  renames: Renames
  progress?: ReaderProgress
}

const BATCH_ENTRIES = 500

export class SnapshotReader implements SinkReader {
  private readonly reading: Reading
  private readonly options: SnapshotReaderOptions
  private readonly progress: ReaderProgress
  private readonly lanes: ContentLanes
  private damage: BackupError | undefined

  constructor(reading: Reading, options: SnapshotReaderOptions) {
    this.reading = reading
    this.options = options
    this.progress = options.progress ?? SINK_PROGRESS_OFF
    this.lanes = new ContentLanes(reading)
  }

  /** @throws BackupError what kept content from being read, even where the sink has swallowed it */
  throwIfDamaged(): void {
    if (this.damage) throw this.damage
  }

  async *entries(): AsyncGenerator<readonly SinkEntry[]> {
    const { root, source, select, renames } = this.options
    if (!root) return
    const session = await this.reading.open('browse')
    try {
      let batch: SinkEntry[] = []
      let rows: number | undefined
      for await (const entry of selectedEntries(session, { root, source, select, renames })) {
        throwIfAborted(this.reading.signal)
        const found = sinkEntry(entry)
        const counted = rowsIn(found.facts)
        if (counted !== undefined) rows = (rows ?? 0) + counted
        if (batch.push(found) < BATCH_ENTRIES) continue
        yield batch
        batch = []
      }
      this.progress.listed(rows)
      if (batch.length > 0) yield batch
    } finally {
      await this.reading.end(session, 'nobody wants the rest')
    }
  }

  async *content(path: string): AsyncGenerator<Uint8Array> {
    throwIfAborted(this.reading.signal)
    const lane = await this.lanes.take()
    let isWhole = false
    try {
      const found = await this.find(lane.session, path)
      const pieces = new PieceQueue(lane.session, requestsOf(path, found))
      for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) {
        this.progress.read(path, piece.length)
        yield piece
      }
      isWhole = true
    } catch (error) {
      if (BackupError.is(error) && error.origin === 'repository' && !this.reading.signal.aborted) this.damage ??= error
      throw error
    } finally {
      await (isWhole ? this.lanes.give(lane) : this.lanes.end(lane))
    }
  }

  private async find(session: Session, path: string): Promise<FoundEntry> {
    const { root, source, snapshot } = this.options
    const found = root && (await session.call<FoundEntry | null>('find', { root, path: userToLatin1(path) }))
    if (!found) throw entryNotFound(snapshot, `${source}/${path}`)
    return found
  }

  done(entry: SinkEntry): void {
    this.progress.done(entry)
  }

  /** Ends every stream that is still open. */
  async close(): Promise<void> {
    await this.lanes.close()
  }
}

/** None for what has no content. */
function requestsOf(path: string, found: FoundEntry) {
  if (!found.stream && (NO_CONTENT.has(typeName(found.meta)) || !found.meta.sizeBytes)) return []
  const stream = contentOf(path, found)
  return [{ stream, start: 0, end: streamBytes(stream) }]
}

function sinkEntry({ path, meta }: ChosenEntry): SinkEntry {
  const { mode, uid, gid, mtimeNs, linkTarget, linkGroup } = meta
  return {
    path: latin1ToUser(path),
    ...(path !== meta.path && { from: latin1ToUser(meta.path) }),
    type: typeName(meta),
    size: meta.sizeBytes ?? 0,
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mtimeNs !== undefined && { mtimeNs }),
    ...(linkTarget !== undefined && { linkTarget: latin1ToUser(linkTarget) }),
    ...(linkGroup !== undefined && { linkGroup }),
    facts: factsOf(meta),
  }
}

const TYPE_FACT = 'holdfast.type'

function factsOf({ attributes }: EntryMeta): SinkEntry['facts'] {
  const { [TYPE_FACT]: _, ...facts } = attributes ?? {}
  return facts
}
