import type { Finding } from '../../events.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotRef } from './snapshot.ts'

/**
 * structure: all that is referenced exists, with its size and stored checksum; no data is downloaded.
 * data: every byte is read, decrypted and hashed.
 * content: data, and entries that say what their content hashes to are put together and hashed anew (CONTENT_MISMATCH);
 * the engine's own sources are asked what they make of their snapshots (`Source.check`).
 */
export type VerifyLevel = 'structure' | 'data' | 'content'

export interface VerifyOptions extends CallOptions {
  /** Default 'structure'. */
  level?: VerifyLevel
  /** Default 'all'. */
  snapshots?: SnapshotRef | readonly SnapshotRef[] | 'all'
  /** Check only a part, until one of these is used up. For level 'data' only. */
  budget?: VerifyBudget
}

export interface VerifyBudget {
  /** Stored bytes to read. */
  bytes?: number
  /** Milliseconds to read for. */
  ms?: number
  /** Share of the stored bytes, above 0 and up to 1. */
  share?: number
}

/**
 * Damage is a finding, not an exception: the promise rejects only when the check itself could not be done. The result is
 * noted with the snapshots (`lastVerified`): with each chosen one; of 'all' with the newest 100 and all that are not
 * sound; not again within a day if it says the same. A check of a part of the data is noted as 'structure'. Where the
 * target cannot be written to there is the warning VERIFY_NOT_RECORDED.
 */
export interface VerifyResult extends RunResult {
  /** False where any finding is an error. Chosen snapshots are judged by what they need, not by the rest. */
  sound: boolean
  level: VerifyLevel
  /** One for each damaged object; `affects` adds up over all chosen snapshots. Errors first. */
  findings: Finding[]
  packsRead: number
  bytesRead: number
  snapshots: { id: string; sound: boolean }[]
  /** Share of the stored bytes in question that were proved within the last 30 days, this run included: 0 to 1. */
  coverage: number
}
