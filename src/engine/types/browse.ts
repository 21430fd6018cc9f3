import type { Json } from '../../errors.ts'
import type { EntryType } from '../../sources/source.ts'
import type { CallOptions, Listing } from './run.ts'
import type { SnapshotRef } from './snapshot.ts'

/** `<source>/<path>`: 'uploads/2026/a.png'. */
export type EntryPath = string

/** One file, directory, link … in a snapshot. */
export interface Entry {
  path: EntryPath
  type: EntryType
  /** Bytes of content; 0 for what has none. */
  size: number
  modifiedAt?: Date
  /** Permission bits. */
  mode?: number
  /** Of a symlink: where it points, as stored. */
  linkTarget?: string
  /** What the kind of source records beside, e.g. rows of a table. */
  facts: Readonly<Record<string, Json>>
}

export interface EntriesOptions {
  snapshot: SnapshotRef
  /** Folder (or single entry) to list. Default: the sources. Nothing there: ENTRY_NOT_FOUND. */
  path?: EntryPath
  /** Also what lies in folders below. Default false. */
  recursive?: boolean
  /** Only entries whose path contains this text; upper and lower case are the same. Searches below folders too. */
  search?: string
  signal?: AbortSignal | undefined
}

export interface ReadOptions {
  snapshot: SnapshotRef
  /** A file. Nothing there: ENTRY_NOT_FOUND. */
  path: EntryPath
  /** Bytes, half open; `end` defaults to the end of the file. */
  range?: { start: number; end?: number }
  signal?: AbortSignal | undefined
}

export interface DiffOptions extends CallOptions {
  /** The older side; 'empty' makes everything an addition. */
  base: SnapshotRef | 'empty'
  /**
   * The newer side; 'live' is what the sources hold now: those of the base, or those selected (all of the engine's where the
   * base is 'empty'). One that this engine lacks is INVALID_OPTIONS. More than a million changes are LIMIT_EXCEEDED.
   */
  head: SnapshotRef | 'live'
  select?: Selection
  /**
   * With head 'live': read content even where metadata says equal. Default false: content counts as changed if size, time
   * or, for a source that gives them, fingerprint changed.
   */
  checksum?: boolean
}

export interface Diff {
  /** Id of the snapshot, or 'empty'. */
  base: string
  /** Id of the snapshot, or 'live'. */
  head: string
  /** How many changes of each type, and the sizes of their entries together: as in head, of deleted ones as in base. */
  totals: Readonly<Record<ChangeType, { count: number; bytes: number }>>
  /** In path order. Of two snapshots, those beyond the first 10,000 are found again when they are asked for. */
  changes: Listing<Change>
}

/** 'modified': content, or where a link points. 'metadata': mode, owner, time or facts alone. */
export type ChangeType = 'added' | 'modified' | 'deleted' | 'metadata' | 'type-changed'

export interface Change {
  path: EntryPath
  type: ChangeType
  before?: Entry
  after?: Entry
  /** Names of extended attributes (ACLs are `system.posix_acl_…`) that were added, changed or removed; absent: none. */
  xattrs?: readonly string[]
}

/** Which entries; everything given must hold. */
export interface Selection {
  /** Names of sources. Default: all. */
  sources?: readonly string[]
  /** Glob patterns over `<source>/<path>`; a folder stands for all in it. Default: everything. */
  include?: readonly string[]
  /** Wins over `include`. */
  exclude?: readonly string[]
  /** Modified at this time or later. */
  changedAfter?: Date
}
