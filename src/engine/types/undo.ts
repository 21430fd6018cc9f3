import type { RunResult } from './run.ts'
import type { Snapshot } from './snapshot.ts'

/** A snapshot that was forgotten and can still be brought back, under the id that it had. */
export interface ForgottenSnapshot extends Omit<Snapshot, 'checksum'> {
  forgottenAt: Date
}

export interface UndoForgetResult extends RunResult {
  /** With an id of its own; `undoneFrom` names the one that was forgotten. */
  snapshot: Snapshot
  /** Id of the one that was forgotten. */
  forgotten: string
}
