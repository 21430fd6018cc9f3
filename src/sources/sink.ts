import type { Json } from '../errors.ts'
import type { Warning } from '../events.ts'
import { stampVersion } from '../util/plugin.ts'
import type { EntryType, SourceEntry } from './source.ts'

/**
 * Where a restore writes. Two phases, so that several sinks switch together: write… → prepare (all checked, nothing live
 * touched) → commit. Never a half-written file under its final name; refuses paths that leave its root.
 */
export interface Sink {
  readonly apiVersion: 1
  readonly name: string
  open(context: SinkContext): Promise<SinkSession>
  /** For planRestore: what a restore would do there. It changes nothing. Absent: everything is 'create'. */
  plan?(context: SinkContext, reader: SinkReader): Promise<SinkPlan>
}

export interface SinkPlan {
  readonly changes: readonly SinkChange[]
  /** What may go wrong, or must be known before: missing roles, other versions, open sessions. */
  readonly warnings: readonly Warning[]
  /** Something that is there now would be overwritten or deleted. */
  readonly destructive: boolean
  readonly freeBytes?: number
}

export interface SinkChange {
  /** Within the source. */
  readonly path: string
  /** For people: where it goes. */
  readonly to: string
  /** 'replace' and 'drop' make the plan destructive; 'blocked' makes restore() refuse it. */
  readonly type: 'create' | 'replace' | 'drop' | 'blocked'
  readonly bytes: number
  readonly reason?: string
}

/** The snapshot, for a sink that reads what it wants in its own order. */
export interface SinkReader {
  /** What was selected, in path order, in batches. */
  entries(): AsyncIterable<readonly SinkEntry[]>
  /**
   * Content of one entry, selected or not, by its path in the snapshot. Several may be read at once. Fetched ahead; a
   * consumer that stops early ends the fetching. @throws BackupError ENTRY_NOT_FOUND
   */
  content(path: string): AsyncIterable<Uint8Array>
  /** For progress: this entry is done. */
  done(entry: SinkEntry): void
}

export interface SinkContext {
  readonly signal: AbortSignal
  readonly runId: string
  /** What the source said of itself when the snapshot was made. */
  readonly facts: Readonly<Record<string, Json>>
  /** A drill: it ends with rollback() after prepare(), so prepare() checks as much as it can. */
  readonly drill?: boolean
  warn(warning: Warning): void
}

/** What a sink is told about an entry. */
export interface SinkEntry {
  /** Where it goes: as in the snapshot, unless renamed. */
  readonly path: string
  /** Its path in the snapshot, where that differs. */
  readonly from?: string
  readonly type: EntryType
  readonly size: number
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtimeNs?: bigint
  readonly linkTarget?: string
  readonly linkGroup?: string
  readonly facts: Readonly<Record<string, Json>>
}

export interface SinkSession extends AsyncDisposable {
  /** What is there now, sorted as a source sorts; absent: nothing can be compared, everything is 'create'. */
  current?(): AsyncIterable<readonly SourceEntry[]>
  space?(): Promise<{ freeBytes?: number }>
  /** One entry, in path order, a directory before what it holds. */
  write(entry: SinkEntry, content: AsyncIterable<Uint8Array>): Promise<void>
  /** For a sink that orders its own work, as a database must. Called once, instead of write(). */
  pull?(reader: SinkReader): Promise<void>
  remove?(entry: SinkEntry): Promise<void>
  prepare(): Promise<void>
  commit(): Promise<void>
  /** Undo everything since open(). Called on any failure, also in a later process for `runId`. */
  rollback(reason: unknown): Promise<void>
  /** Where things went, for the result. Asked for after prepare() and after commit(). */
  where?(): Json
  /** Built-in fast path: a plan that workers write themselves, instead of write(). */
  readonly place?: PlacePlan
}

/** Plain data: what a worker needs to write files into a folder without the main thread. */
export interface PlacePlan {
  readonly kind: 'folder'
  readonly root: string
  /** `root` is a new folder that nobody else knows of, and is renamed to this one at the commit. */
  readonly becomes?: string
  /** Try to set uid and gid. */
  readonly owner: boolean
  /** Set extended attributes; 'missing': there is no way to, which is said of those that have some. Default false. */
  readonly xattrs?: boolean | 'missing'
}

/**
 * Adds `apiVersion` to a sink of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export function defineSink(sink: Omit<Sink, 'apiVersion'>): Sink {
  return {
    ...sink,
    apiVersion: stampVersion(sink),
    name: sink.name,
    open: (context) => sink.open(context),
    ...(sink.plan && { plan: (context, reader) => sink.plan!(context, reader) }),
  }
}
