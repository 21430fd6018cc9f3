/** What a prune is asked for, and what came of it. */
import type { BackupError } from '../../errors.ts'
import type { CallSignal } from '../../targets/target.ts'
import type { Clock } from '../../util/clock.ts'
import type { CopyResult } from './copy.ts'
import type { GcState } from './gc.ts'
import type { PruneRules } from './rules.ts'
import type { Survey, SurveyOptions } from './survey.ts'

export type PrunePhase =
  | 'take-over'
  | 'list'
  | 'mark'
  | 'copy'
  | 'announce'
  | 'wait'
  | 'mark-again'
  | 'decide'
  | 'merge'
  | 'delete'

export interface PruneOptions extends Omit<SurveyOptions, 'dead' | 'expiry' | 'onPhase'>, CallSignal {
  signal: AbortSignal
  clock: Clock
  host: string
  /** Of the protocol; new for each prune. */
  runId: string
  keepDeletedMs: number
  /** A run whose object does not change for so long is given up. */
  stillMs: number
  pollMs: number
  /** Waited for in addition where the target cannot create once. */
  graceMs: number
  waitMs?: number | undefined
  heartbeatMs?: number
  packBytes?: number
  /** For tests only. */
  rules?: PruneRules
  /** Its own `runs/<id>` is there. */
  onStarted?(): void
  /** What is to be done is known; nothing has been changed. Throws if that is not what was asked for. */
  onSurvey?(found: Survey, gc: GcState): void
  onPhase(phase: PrunePhase): void
  onWait?(runs: readonly string[]): void
  onCopied?(bytes: number): void
  /** Nothing is copied this time; what nobody needs at all goes all the same. */
  onNoRoom?(error: BackupError): void
  onDeleted?(packs: number): void
}

export interface PruneOutcome {
  /** pending: nothing was decided, since others are still at work. */
  readonly state: 'done' | 'pending'
  /** Runs that were waited for in vain. */
  readonly waitingFor: readonly string[]
  readonly deleted: { packs: number; bytes: number }
  /** Into new packs. */
  readonly copied: { packs: number; storedBytes: number }
  /** Candidates that were needed after all. */
  readonly rescued: number
  readonly damaged: CopyResult['damaged']
}
