import type { Warning } from '../../events.ts'
import type { Retention, Simulation } from './retention.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotFilter, SnapshotRef } from './snapshot.ts'

export interface PlanForgetOptions extends CallOptions {
  /** What is to be forgotten, one by one. Instead of `retention`. */
  snapshots?: readonly SnapshotRef[]
  /** What stays. Default: the engine's. */
  retention?: Retention
  /** Snapshots that the policy is about; all others stay. Default: backups, no restore points and no imports. */
  filter?: SnapshotFilter
  /** Says what the policy would leave at a later time, in `plan.simulation`. The plan itself is of now. */
  simulate?: Simulation
}

/** Plain JSON, as every plan. */
export interface ForgetPlan {
  readonly kind: 'forget'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** True if anything is forgotten: then forget() wants `confirm`. */
  readonly destructive: boolean
  /** One for each snapshot there is, newest first. */
  readonly decisions: readonly ForgetDecision[]
  readonly warnings: readonly Warning[]
  /** Of a plan by retention. */
  readonly retention?: Retention
  readonly simulation?: ForgetSimulation
}

export interface ForgetDecision {
  readonly snapshot: string
  readonly keep: boolean
  /** For people: 'daily 2026-11-20', 'hold: audit (by anna)', 'no rule wants it'. */
  readonly reasons: readonly string[]
  /** Of those that the policy is about: 'host web-1, sources main + uploads'. */
  readonly group?: string
  /** What of it may change, in short: tags, holds, damage. Another one makes the plan stale. */
  readonly state: string
}

/** What would be there at a later time. */
export interface ForgetSimulation {
  readonly at: string
  /** Newest first. */
  readonly kept: readonly SimulatedSnapshot[]
}

export interface SimulatedSnapshot {
  /** Absent: it was not made yet. */
  readonly snapshot?: string
  readonly createdAt: string
  readonly reasons: readonly string[]
  readonly group: string
}

export interface ForgetOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
  /**
   * Another run that is about to forget what this plan keeps, and gives no sign of life for so many milliseconds, was killed, and
   * is passed by; one that does makes the plan stale. At least 180,000; default 900,000.
   */
  deadRunMs?: number
}

export interface ForgetResult extends RunResult {
  /** Ids. What was gone already is not among them. */
  forgotten: string[]
  kept: number
}

export interface PlanPruneOptions extends CallOptions {
  /**
   * A pack is rewritten when so much of it is needed by nobody: above 0, up to 1. Default 0.2. Below that, its segments are
   * sealed anew for the same share.
   */
  minDeadShare?: number
  /**
   * What was forgotten stays for so many milliseconds, in case it was a mistake. Default 604,800,000 (seven days); 0 frees it
   * now.
   */
  keepDeletedMs?: number
  /**
   * Data that was stored before the last `keys.rotate()` is read and sealed anew under the keys of now. Default false. What
   * is under them already is left alone, so a prune that was interrupted goes on where it was.
   */
  rekeyOldData?: boolean
}

export interface PruneCost {
  readonly packs: number
  readonly bytes: number
}

/** Plain JSON, as every plan. Numbers are those of the moment: backups that go on meanwhile change them a little. */
export interface PrunePlan {
  readonly kind: 'prune'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** True if anything is deleted: then prune() wants `confirm`. */
  readonly destructive: boolean
  /** The options, with defaults filled in. */
  readonly request: {
    readonly minDeadShare: number
    readonly keepDeletedMs: number
    readonly rekeyOldData?: boolean
  }
  /** Snapshots, and forgotten ones within their time, that it keeps all of. When one of them goes, the plan is stale. */
  readonly snapshots: readonly string[]
  /** Forgotten so long ago that they end for good. */
  readonly expired: readonly string[]
  /** How many prunes there have been; another one makes the plan stale. */
  readonly sequence: number
  /** Packs that go, and bytes that are free afterwards: what is copied is taken off. */
  readonly free: PruneCost
  /** Of those packs the ones that something is copied out of, and how many bytes that is. */
  readonly rewrite: PruneCost
  readonly keep: PruneCost
  /** Calls of the target, about. */
  readonly requests: number
  /** Milliseconds, roughly: without the time that it waits for backups under way. */
  readonly estimatedMs: number
  readonly warnings: readonly Warning[]
}

export interface PruneOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
  /**
   * How long to wait, in milliseconds, for backups that were under way when the prune named what it would delete. Then it
   * ends with `state: 'pending'` and has deleted nothing. Default: until they end.
   */
  waitMs?: number
  /**
   * A backup, or another prune, that gives no sign of life for so many milliseconds is given up: it will fail with RUN_FENCED
   * if it should come back. At least 180,000 (they give one a minute); default 900,000.
   */
  deadRunMs?: number
  /** Waited for in addition, in milliseconds, on a target that cannot create an object once. Default 3,600,000. */
  graceMs?: number
}

export interface PruneResult extends RunResult {
  /** 'pending': nothing was deleted, since others were at work (`waitingFor`), or another prune was faster. */
  state: 'done' | 'pending'
  /** Deleted less copied. */
  freedBytes: number
  deleted: PruneCost
  /** Packs that something was copied out of, and bytes that were stored for it. */
  rewritten: PruneCost
  /** Packs that were to go, and are needed by a backup that ended meanwhile. */
  rescued: number
  /** Ids of the runs that were waited for in vain. */
  waitingFor: string[]
}
