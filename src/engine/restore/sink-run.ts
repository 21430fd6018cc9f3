/**
 * One snapshot into its sinks: open all, fill all, prepare all; then commit all, or take everything back. What a restore and
 * a drill have in common.
 */
import type { Json } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SinkContext, SinkSession } from '../../sources/sink.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { fromPlugin } from '../plugin-errors.ts'
import type { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { loadFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { Destination } from './destinations.ts'
import { CountedReading } from './reader-progress.ts'
import { renamesOf } from './renames.ts'
import { type RestoreRequest, selectorOf } from './restore-request.ts'
import { type FolderRestore, openFolderRestore } from './restore-source.ts'
import { SnapshotReader, type SnapshotReaderOptions } from './snapshot-reader.ts'

export interface SinkWork {
  readonly reading: Reading
  readonly snapshot: SnapshotInfo
  readonly request: RestoreRequest
  readonly run: Pick<RunContext, 'runId' | 'signal' | 'progress' | 'warn'>
  /** Read back what is written into folders. */
  readonly verify: boolean
  readonly drill: boolean
}

interface OpenSink {
  destination: Destination
  session: SinkSession
  reader: SnapshotReader
}

export class SinkRun {
  private readonly work: SinkWork
  private readonly sinks: OpenSink[] = []
  private readonly folders: FolderRestore[] = []
  /** Of each source that has any. */
  private readonly rows = new Map<string, number>()

  constructor(work: SinkWork) {
    this.work = work
  }

  /** After a failure, here or in any step: `rollback`. At the very end: `close`. */
  async fill(destinations: readonly Destination[]): Promise<void> {
    for (const destination of destinations) await this.open(destination)
    for (const sink of this.sinks) await this.fillOne(sink)
  }

  private async open(destination: Destination): Promise<void> {
    const { work } = this
    const { source, sink } = destination
    const context = await sinkContext(work, source)
    const session = await fromPlugin('sink', 'RESTORE_DENIED', source, () => sink.open(context))
    const progress = new CountedReading(
      (items, bytes, path, rows) => this.note(source, items, bytes, path, rows),
      (rows) => this.expect(source, rows),
    )
    const reader = new SnapshotReader(work.reading, { ...readerOptions(work, source), progress })
    this.sinks.push({ destination, session, reader })
  }

  /** Nothing but a path: a sign of life. */
  private note(source: string, items: number, bytes: number, path: string, rows?: number): void {
    if (items === 0 && bytes === 0) this.work.run.progress.touch()
    const currentPath = path === '' ? {} : { currentPath: `${source}/${path}` }
    this.work.run.progress.add({ items, bytes, ...currentPath, ...(rows !== undefined && { rows }) })
  }

  private expect(source: string, rows: number): void {
    this.rows.set(source, rows)
    this.work.run.progress.total({ rows: [...this.rows.values()].reduce((sum, each) => sum + each, 0) })
  }

  private async fillOne({ destination: { source }, session, reader }: OpenSink): Promise<void> {
    if (session.pull) await this.pull(source, session, reader)
    else if (this.isPlaced(source, session)) await this.place(source, session)
    else await this.write(source, session, reader)
    throwIfAborted(this.work.run.signal)
  }

  /** What is renamed is written entry by entry. */
  private isPlaced(source: string, { place }: SinkSession): boolean {
    return place !== undefined && renamesOf(this.work.request.rename, source).isEmpty
  }

  private async pull(source: string, session: SinkSession, reader: SnapshotReader): Promise<void> {
    try {
      await fromPlugin('sink', 'RESTORE_DENIED', source, () => session.pull!(reader))
    } finally {
      // Damage says more than what a sink makes of it, and is none that a sink may pass over.
      reader.throwIfDamaged()
    }
  }

  private async write(source: string, session: SinkSession, reader: SnapshotReader): Promise<void> {
    for await (const batch of reader.entries()) {
      for (const entry of batch) {
        throwIfAborted(this.work.run.signal)
        const content = reader.content(entry.from ?? entry.path)
        await fromPlugin('sink', 'RESTORE_DENIED', source, () => session.write(entry, content))
        reader.done(entry)
      }
    }
  }

  private async place(source: string, session: SinkSession): Promise<void> {
    const { reading, snapshot, request, run, verify } = this.work
    const folder = await openFolderRestore(reading, {
      source,
      root: treeRoot(snapshot.record.sources.find(({ name }) => name === source)),
      select: selectorOf(request),
      verify,
      place: session.place!,
      warn: run.warn,
      done: (items, bytes, path) => this.note(source, items, bytes, path),
    })
    this.folders.push(folder)
    await folder.run()
  }

  async prepare(): Promise<void> {
    for (const { destination, session } of this.sinks) {
      await fromPlugin('sink', 'RESTORE_DENIED', destination.source, () => session.prepare())
    }
    throwIfAborted(this.work.run.signal)
    for (const { reader } of this.sinks) reader.throwIfDamaged()
  }

  async commit(): Promise<void> {
    for (const { destination, session } of this.sinks) {
      await fromPlugin('sink', 'RESTORE_DENIED', destination.source, () => session.commit())
    }
  }

  /** Where each source is: before the commit a new folder has another name. */
  places(): Record<string, Json> {
    const placeOf = ({ destination, session }: OpenSink): Json =>
      (this.work.drill && session.place?.root) || destination.describe('')
    return Object.fromEntries(this.sinks.map((sink) => [sink.destination.source, whereIs(sink, placeOf(sink))]))
  }

  /** All that was written was written by this package, and read back. */
  get isVerified(): boolean {
    return this.work.verify && this.folders.length === this.sinks.length
  }

  /** Takes everything back. What could not be is what it gives. Never rejects. */
  async rollback(reason: unknown): Promise<unknown[]> {
    const failures: unknown[] = []
    const attempt = async (undo: () => Promise<void>): Promise<void> => {
      await undo().catch((error: unknown) => failures.push(error))
    }
    await Promise.all(this.sinks.map(({ reader }) => reader.close()))
    for (const folder of this.folders.toReversed()) await attempt(() => folder.undo())
    await Promise.all(this.sinks.map(({ session }) => attempt(async () => session.rollback(reason))))
    return failures
  }

  /** Never rejects. */
  async close(): Promise<void> {
    for (const { reader } of this.sinks) await reader.close()
    for (const folder of this.folders) await folder.conclude().catch(() => undefined)
    for (const folder of this.folders) await folder.close()
    await Promise.allSettled(this.sinks.map(async ({ session }) => session[Symbol.asyncDispose]()))
  }
}

/** It is done by now: a sink that cannot say where things are must not make it fail. */
function whereIs({ session }: OpenSink, otherwise: Json): Json {
  try {
    return session.where?.() ?? otherwise
  } catch {
    return otherwise
  }
}

export function readerOptions(
  { snapshot: { id, record }, request }: Pick<SinkWork, 'snapshot' | 'request'>,
  source: string,
): SnapshotReaderOptions {
  return {
    snapshot: id,
    source,
    root: treeRoot(record.sources.find(({ name }) => name === source)),
    select: selectorOf(request),
    renames: renamesOf(request.rename, source),
  }
}

/** The facts of the root are those of a whole source: a part of it leaves the folder's own as they are. */
export async function sinkContext(
  { reading, snapshot, request, run, drill }: Omit<SinkWork, 'verify'>,
  source: string,
): Promise<SinkContext> {
  const record = snapshot.record.sources.find(({ name }) => name === source)
  const { root, ...others } = record ? await loadFacts(reading, record) : {}
  const { include, exclude, changedAfter } = request
  const isWhole = include.length === 0 && exclude.length === 0 && changedAfter === null
  const facts = isWhole && root !== undefined ? { ...others, root } : others
  return {
    signal: run.signal,
    runId: run.runId,
    facts,
    ...(drill && { drill }),
    warn: (warning) => run.warn(warning),
  }
}
