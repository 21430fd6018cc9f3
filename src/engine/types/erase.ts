import type { Warning } from '../../events.ts'
import type { PlanPruneOptions } from './prune.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotRef } from './snapshot.ts'

export interface PlanEraseOptions extends CallOptions {
  /**
   * Patterns of entry paths, as in a selection: 'uploads/anna/**', 'uploads/anna' (with all below it). At least one. Put a
   * backslash before what is to be taken as it is.
   */
  paths: readonly string[]
  /** Names of sources; others are not looked into. Default: all. */
  sources?: readonly string[]
  /** Only these snapshots. Default: all of every kind, and forgotten ones that could still be brought back. */
  snapshots?: readonly SnapshotRef[]
  /** True: also from snapshots with a hold. Their successors are held in the same way. Default false: HELD. */
  includeHeld?: boolean
}

/** Plain JSON, as every plan. It holds the paths: keep it no longer than it is needed. */
export interface ErasePlan {
  readonly kind: 'erase'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** True if anything is erased: then erase() wants `confirm`. */
  readonly destructive: boolean
  readonly request: {
    readonly paths: readonly string[]
    readonly sources?: readonly string[]
    readonly includeHeld: boolean
  }
  /** Those that hold such entries, oldest first. Each gets a successor without them. */
  readonly snapshots: readonly ErasedFrom[]
  /** Forgotten ones that hold such entries: they can be brought back no more. */
  readonly forgotten: readonly { readonly snapshot: string; readonly entries: number; readonly bytes: number }[]
  /** Others that hold such entries, since only some snapshots were named: there they stay, and so does the content. */
  readonly others: readonly string[]
  /** All that were looked through, also forgotten ones: what is in none of these is not touched, and named afterwards. */
  readonly looked: readonly string[]
  /** Of all snapshots together: an entry that is in ten of them counts ten times. */
  readonly entries: number
  readonly bytes: number
  /** The first 1,000 paths, and how many there are. */
  readonly paths: readonly string[]
  readonly distinctPaths: number
  /** The first 1,000 others that hold the same content, in whole or in part, in any snapshot: this content stays. */
  readonly shared: readonly SharedContent[]
  readonly distinctShared: number
  readonly warnings: readonly Warning[]
}

export interface ErasedFrom {
  readonly snapshot: string
  readonly entries: number
  readonly bytes: number
  /** What of it may change, in short: tags, holds, damage. Another one makes the plan stale. */
  readonly state: string
  /** Its successor is there already: a call before this one was cut short. */
  readonly successor?: string
}

export interface SharedContent {
  /** With the source before it. */
  readonly path: string
  /** How much of its content is also in what is to be erased. */
  readonly bytes: number
  /** It is another name (a hard link) of a file that is to be erased. */
  readonly linked: boolean
}

export interface EraseOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
}

export interface EraseResult extends RunResult {
  /** Oldest first. Those that were gone already are not among them. */
  erased: { from: string; to: string }[]
  /** Forgotten ones that can be brought back no more. */
  dropped: string[]
  /** Stay as they are: they got a hold after the plan was made. One that got it late has a successor, too. */
  held: string[]
  /** Of all snapshots together. */
  entries: number
  bytes: number
  /** For `planPrune`: a prune with these leaves no byte of it. Before that, all of it is still there. */
  prune: Pick<PlanPruneOptions, 'minDeadShare'>
}
