import type { Source } from '../../sources/source.ts'
import type { CallOptions, RunResult } from './run.ts'
import type { Snapshot, SnapshotRef } from './snapshot.ts'
import type { VerifyLevel } from './verify.ts'

export interface BackupOptions extends CallOptions {
  /** Names of configured sources, or sources made for this call. Default: all of the engine's. */
  sources?: readonly (string | Source)[]
  name?: string
  description?: string
  /** At most 64, each 1 to 128 characters. */
  tags?: readonly string[]
  /** Facts of the application (its version, git sha, user id). At most 64. */
  labels?: Readonly<Record<string, string>>
  /** 'auto' (default): newest of same host and sources. 'none': read everything. */
  parent?: SnapshotRef | 'auto' | 'none'
  /** An entry that cannot be read: 'fail' the run (default), or 'skip' it with a warning and `complete: false`. */
  onEntryError?: 'fail' | 'skip'
  /** After the commit: read back what was written. Default 'structure'. */
  verify?: VerifyLevel | 'none'
  /** LIMIT_EXCEEDED when the sources hold more bytes than this. Default: no limit. */
  maxSourceBytes?: number
  /** LIMIT_EXCEEDED when this run would store more bytes than this. Default: no limit. */
  maxStoredBytes?: number
}

export interface BackupResult extends RunResult {
  snapshot: Snapshot
  /** The same as `snapshot.counts`. */
  counts: BackupCounts
  /** Level that was really reached. */
  verified: VerifyLevel | 'none'
}

/** Entries by outcome, and bytes. `entries` = added + modified + unchanged. */
export interface BackupCounts {
  entries: number
  added: number
  modified: number
  unchanged: number
  /** In the parent and not here. */
  deleted: number
  /** Left out because they could not be read. */
  skipped: number
  /** Bytes that the snapshot holds. */
  sourceBytes: number
  /** Bytes that had to be read from the sources. */
  readBytes: number
  /** Bytes of chunks the repository did not have yet. */
  newBytes: number
  /** Bytes written to the target for them. */
  storedBytes: number
}
