import type { BackupEngine } from '../engine.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { SnapshotFilter, SnapshotRef } from './snapshot.ts'

export interface CopyOptions extends CallOptions {
  /** Is only read. */
  from: BackupEngine
  /** Gets the run, its events and its report. Another repository, or a clone of the same. */
  to: BackupEngine
  /** Which ones. Default: all backups. */
  snapshots?: readonly SnapshotRef[] | SnapshotFilter
}

export interface CopyResult extends RunResult {
  /** Ids of the new snapshots in `to`, oldest first; their `copiedFrom` says what each is a copy of. */
  copied: string[]
  /** How many were there already. */
  present: number
  /** Bytes of content that were read from `from`. */
  bytes: number
  /** Bytes written to the target of `to`, without the snapshots themselves. */
  storedBytes: number
}
