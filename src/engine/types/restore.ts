import type { Json } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { Sink } from '../../sources/sink.ts'
import type { EntryPath, Selection } from './browse.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotRef } from './snapshot.ts'

export interface PlanRestoreOptions extends CallOptions {
  snapshot: SnapshotRef
  /** Required: there is no default destination. `folder` gets one directory per source; `sinks` go by source name. */
  to: { folder: string } | { sinks: Readonly<Record<string, Sink>> }
  select?: Selection
  /**
   * Where entries go instead: old to new `<source>/<path>`, both of one source. A folder moves with all it holds; the longest
   * path that fits wins. INVALID_OPTIONS where two entries would meet; ENTRY_NOT_FOUND where nothing restored is there.
   */
  rename?: Readonly<Record<EntryPath, EntryPath>>
  /** Changes carried inside the plan, at most 10,000. Default 1000. */
  inlineChanges?: number
}

/** What to do with something that is in the way. */
export type ConflictPolicy = 'overwrite' | 'keep' | 'rename' | 'fail'

export type RestoreChangeType =
  | 'create'
  | 'update-content'
  | 'update-metadata'
  | 'replace-type'
  | 'delete-extra'
  | 'identical'
  | 'conflict-modified'
  | 'conflict-deleted'
  | 'conflict-extra'
  | 'blocked'

export interface RestoreChange {
  path: EntryPath
  /** Where it goes. */
  to: string
  type: RestoreChangeType
  decision: ConflictPolicy
  bytes: number
  /** Why it is blocked or in conflict. */
  reason?: string
}

export type RestoreTotals = Readonly<Record<RestoreChangeType, { count: number; bytes: number }>>

/** Plain JSON: `JSON.parse(JSON.stringify(plan))` is the same plan. Times are ISO strings for that reason. */
export interface RestorePlan {
  readonly kind: 'restore'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** Id of the snapshot. */
  readonly snapshot: string
  /** What was asked for, in plain data. */
  readonly request: Json
  /** True if running it overwrites or deletes anything: then restore() wants `confirm`. */
  readonly destructive: boolean
  readonly totals: RestoreTotals
  readonly changes: readonly RestoreChange[]
  /** There are more changes than the plan carries. */
  readonly changesTruncated: boolean
  readonly download: { readonly packs: number; readonly bytes: number }
  readonly space: { readonly needed: number; readonly free?: number }
  readonly warnings: readonly Warning[]
}

export interface RestoreOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
  /**
   * Sync each file, read it back and compare, before it gets its name. Default false: what is written has had its hash
   * checked the moment before, and syncing 100,000 files one by one takes minutes.
   */
  verify?: boolean
}

export interface RestoreResult extends RunResult {
  totals: RestoreTotals
  /** All of it was read again and compared: asked for with `verify`, and done for folders into which nothing is renamed. */
  verified: boolean
  /** Where each source went: a path, or what its sink says. */
  places: Readonly<Record<string, Json>>
}
