import type { Finding, Warning } from '../../events.ts'
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { CallOptions, RunResult } from './run.ts'

/** Where what is lost may still be. */
export interface RepairPlaces {
  /** Read for content that is lost: what has not changed there is stored anew. Default: the engine's own; [] for none. */
  sources?: readonly Source[]
  /** Other places with objects of this very repository: a mirror, or a copy of its folder. Default: none. */
  mirrors?: readonly Target[]
}

export interface PlanRepairOptions extends CallOptions, RepairPlaces {
  /** How it is looked for, as verify() has it. Default 'data': every byte is read. */
  level?: 'structure' | 'data'
}

/**
 * copy-object: an object that is missing or damaged is copied from a mirror. restate-index: what packs hold is said again in
 * the index. remove-object: one that cannot be read, and of which nothing is missed; with `loses` only with `drop`. heal-content: lost content is stored
 * anew from a mirror or a live source. replace-packs: what is sound of damaged packs is copied into new ones. retire-packs: packs that are
 * lost or damaged are named dead, so that no backup relies on them. rewrite-snapshot, drop-snapshot: only with `drop`.
 */
export type RepairAction =
  | 'copy-object'
  | 'restate-index'
  | 'remove-object'
  | 'heal-content'
  | 'replace-packs'
  | 'retire-packs'
  | 'rewrite-snapshot'
  | 'drop-snapshot'

export interface RepairStep {
  readonly action: RepairAction
  /** For people. */
  readonly message: string
  /** Keys of the stored objects that it is about; the first thousand. */
  readonly objects: readonly string[]
  /** Null: nothing. Else what is given up, and done only with `drop`. */
  readonly loses: string | null
}

/** Content that nothing can bring back. */
export interface LostEntry {
  /** `<source>/<path>` */
  readonly path: string
  /** More than one: a page was lost. `path` is the first entry below it, and the names of the others are lost too. */
  readonly entries: number
  readonly bytes: number
  /** Ids. */
  readonly snapshots: readonly string[]
}

export interface RepairLosses {
  /** `unreadable`: of the snapshot itself nothing can be read. Its entries and bytes are not known. */
  readonly snapshots: readonly {
    readonly snapshot: string
    readonly entries: number
    readonly bytes: number
    readonly unreadable: boolean
  }[]
  /** A thousand at most. */
  readonly entries: readonly LostEntry[]
  /** Entries and bytes of all snapshots together. */
  readonly total: { readonly entries: number; readonly bytes: number }
}

/** Plain JSON, as every plan. */
export interface RepairPlan {
  readonly kind: 'repair'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** True where `drop` would leave something out. Without `drop` nothing that can be read is ever removed. */
  readonly destructive: boolean
  readonly level: 'structure' | 'data'
  /** Names of the places that were looked at. */
  readonly places: { readonly sources: readonly string[]; readonly mirrors: readonly string[] }
  /** All that is wrong, as verify() says it: a thousand at most. */
  readonly findings: readonly Finding[]
  /** In the order in which they are done. */
  readonly steps: readonly RepairStep[]
  /** What is lost for good, after all that can be saved was saved. */
  readonly losses: RepairLosses
  /** Names of packs that are lost or damaged, and in no mirror. */
  readonly packs: readonly string[]
  readonly warnings: readonly Warning[]
}

export interface RepairOptions extends CallOptions, RepairPlaces {
  /**
   * What becomes of what is lost for good. 'entries' (or true): snapshots are rewritten without the entries that lost content,
   * and those that cannot be read at all go. 'snapshots': every snapshot that lost content goes, unless it is held. Either way
   * notes that cannot be read go, and forgotten snapshots that lost content. Default: all stays as it is.
   */
  drop?: boolean | 'entries' | 'snapshots'
  /** `plan.digest`, as the person who confirmed sends it back. Needed with `drop`, where the plan is destructive. */
  confirm?: string
  /** As of prune(): how long to wait, in milliseconds, for backups that are under way. Default: until they end. */
  waitMs?: number
  /** As of prune(). */
  deadRunMs?: number
  /** As of prune(). */
  graceMs?: number
}

export interface RepairResult extends RunResult {
  /**
   * 'pending': all is saved that could be, but packs that are lost or damaged could not be named dead yet, since others were at
   * work (`waitingFor`). Plan and repair again.
   */
  state: 'done' | 'pending'
  /** What is still wrong, as verify() with level 'structure' says it. */
  findings: Finding[]
  /** Chunks that are there again, or were copied out of damaged packs. */
  saved: { chunks: number; bytes: number }
  /** Objects that were copied from mirrors. */
  copied: number
  /** Packs that were named dead. */
  retired: number
  /** Snapshots that took the place of others, and what was left out of each. */
  rewritten: { snapshot: string; from: string; entries: number; bytes: number }[]
  /** Ids of snapshots that were dropped. */
  dropped: string[]
  waitingFor: string[]
}
