import type { Json } from '../../errors.ts'
import type { BackupCounts } from './backup.ts'
import type { VerifyLevel } from './verify.ts'

/** One backup of all chosen sources at one time. */
export interface Snapshot {
  id: string
  createdAt: Date
  host: string
  name?: string
  description?: string
  tags: readonly string[]
  labels: Readonly<Record<string, string>>
  actor?: string
  /** Id of the schedule that asked for it. */
  schedule?: string
  /** Id of the snapshot it was compared with to skip unchanged entries. */
  parent?: string
  /** Of a copy that `copySnapshots` made: id of the repository and of the snapshot that it was made from at first. */
  copiedFrom?: { repository: string; snapshot: string }
  /** Of one that took another's place: that one's id, why (a repair, or an erasure), and what of it was left out in all. */
  rewrittenFrom?: { snapshot: string; why: 'repair' | 'erase'; entries: number; bytes: number }
  /** Of one that was forgotten and brought back with `undoForget`: the id that it had at first. */
  undoneFrom?: string
  /** False when entries were skipped by policy. */
  complete: boolean
  /** 'restore-point' and 'import' are left out of listings unless asked for. */
  kind: SnapshotKind
  sources: readonly SnapshotSource[]
  counts: BackupCounts
  durationMs: number
  /** Reasons not to forget it, expired ones too. */
  holds: readonly Hold[]
  /** SHA-256 of the snapshot object, in hex: the checksum to show to a user. */
  checksum: string
  lastVerified?: { at: Date; level: VerifyLevel; sound: boolean }
}

/** As long as there is one, nothing forgets the snapshot. */
export interface Hold {
  /** 1 to 1024 characters. Names the hold: another one of the same reason takes its place. */
  reason: string
  /** At most 256 characters. Default: the `actor` of the call. */
  author?: string
  /** After this time it holds no more. Default: until it is removed. */
  expires?: Date
}

export type SnapshotKind = 'backup' | 'restore-point' | 'import'

export interface SnapshotSource {
  name: string
  /** Kind of the source, e.g. 'filesystem'. */
  kind: string
  entries: number
  bytes: number
  /** What the source recorded about itself. Large ones (some KiB) are empty in listings; `snapshot()` has them all. */
  facts: Readonly<Record<string, Json>>
}

/**
 * An id, a unique prefix of one (at least 4 characters), 'latest', or the newest that fits a filter ("as of last Tuesday").
 * None: SNAPSHOT_NOT_FOUND; several: SNAPSHOT_AMBIGUOUS with `details.candidates`.
 */
export type SnapshotRef = 'latest' | (string & {}) | { latest: SnapshotFilter }

/** Which snapshots; everything given must hold. Empty lists are refused, since they would match nothing. */
export interface SnapshotFilter {
  /** Has all of these. */
  tags?: readonly string[]
  /** Holds all of these sources, by name. */
  sources?: readonly string[]
  /** Asked for by one of these schedules, by id. */
  schedules?: readonly string[]
  /** Made on one of these. */
  hosts?: readonly string[]
  /** Default: ['backup']. */
  kinds?: readonly SnapshotKind[]
  /** Created at this time or later. */
  after?: Date
  /** Created before this time. */
  before?: Date
  /** Every word occurs in id, name, description, host, tags or labels; upper and lower case are the same. */
  search?: string
  complete?: boolean
  /** True: last proof says sound. False: never proved, or found damaged. */
  verified?: boolean
  /** By time of creation. Default 'newest' first. */
  order?: 'newest' | 'oldest'
  signal?: AbortSignal | undefined
}
