import type { Json } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { Sink } from '../../sources/sink.ts'
import type { Selection } from './browse.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { Snapshot, SnapshotRef } from './snapshot.ts'

/** A restore to see whether it works: into a place beside what is live, and taken away again. */
export interface DrillOptions extends CallOptions {
  /** Default 'latest'. */
  snapshot?: SnapshotRef
  /** Default: everything. */
  select?: Selection
  /**
   * By source name. Default: the sink of the engine's own source of that name (told that it is a drill); a source that has
   * none, and files, go into a temporary folder.
   */
  sinks?: Readonly<Record<string, Sink>>
  /** Looks at what was restored, while it is there. What it throws is a finding. */
  check?(context: DrillContext): Promise<void>
}

export interface DrillContext {
  readonly snapshot: Snapshot
  /** Where each source is: a path, or what its sink says. */
  readonly places: Readonly<Record<string, Json>>
  readonly signal: AbortSignal
}

/** What went wrong is a finding, not an exception: the promise rejects only where no drill could be begun, and on abort. */
export interface DrillResult extends RunResult {
  /** False where any finding is an error. */
  sound: boolean
  /** Milliseconds until all was restored and prepared; without the check, and without taking it away again. */
  recoveryMs: number
  findings: Finding[]
  /** For a file or a mail: what was done, how long it took, what was found. */
  toText(): string
}
