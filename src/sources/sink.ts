import type { Json } from '../errors.ts'
import type { Warning } from '../events.ts'
import type { EntryType, SourceEntry } from './source.ts'

/**
 * Where a restore writes. Two phases, so that several sinks switch together: write… → prepare (all checked, nothing live
 * touched) → commit. Never a half-written file under its final name; refuses paths that leave its root.
 */
export interface Sink {
  readonly apiVersion: 1
  readonly name: string
  open(context: SinkContext): Promise<SinkSession>
}

export interface SinkContext {
  readonly signal: AbortSignal
  readonly runId: string
  readonly facts: Readonly<Record<string, Json>>
  warn(warning: Warning): void
}

/** What a sink is told about an entry. */
export interface SinkEntry {
  readonly path: string
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
  remove?(entry: SinkEntry): Promise<void>
  prepare(): Promise<void>
  commit(): Promise<void>
  /** Undo everything since open(). Called on any failure, also in a later process for `runId`. */
  rollback(reason: unknown): Promise<void>
  /** Built-in fast path: a plan that workers write themselves, instead of write(). */
  readonly place?: PlacePlan
}

/** Plain data: what a worker needs to write files into a folder without the main thread. */
export interface PlacePlan {
  readonly kind: 'folder'
  readonly root: string
  /** Try to set uid and gid. */
  readonly owner: boolean
}

/** Adds `apiVersion` to a sink of your own. */
export function defineSink(sink: Omit<Sink, 'apiVersion'>): Sink {
  return Object.assign({}, sink, { apiVersion: 1 as const })
}
