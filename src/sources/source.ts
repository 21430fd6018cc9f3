import type { Json } from '../errors.ts'
import type { Finding, Warning } from '../events.ts'
import { stampVersion } from '../util/plugin.ts'
import type { Sink, SinkReader } from './sink.ts'

/** What a source may be called: its name begins the path of each of its entries. */
export const SOURCE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/

/**
 * What is backed up. A source is configuration; a session is one reading of it at one point in time. Two sessions may be
 * open at once. The engine opens ALL sources before it reads any: that makes a snapshot of several sources one moment.
 */
export interface Source {
  readonly apiVersion: 1
  /** First segment of every entry path: 1 to 64 of letters, digits, '.', '_', '-'; not starting with '.'. */
  readonly name: string
  readonly kind: string
  open(context: SourceContext): Promise<SourceSession>
  /** The sink that puts things back where they came from; absent: no 'in-place'. */
  sink?(): Sink
  /** What would make a backup fail or be incomplete, each with its fix; for `engine.doctor()`. Changes nothing. */
  doctor?(context: SourceDoctorContext): Promise<Finding[]>
  /** What verify with level 'content' can ask of this kind of source about one of its snapshots. Damage is a finding. */
  check?(context: CheckContext): Promise<Finding[]>
}

export interface SourceDoctorContext {
  readonly signal: AbortSignal
  /** As in `open`: absolute folders and files that a backup leaves out, since the repository lies there. */
  readonly excludePaths?: readonly string[]
}

export interface CheckContext {
  readonly signal: AbortSignal
  readonly facts: EntryFacts
  readonly reader: SinkReader
}

export interface SourceContext {
  readonly signal: AbortSignal
  /** What the parent snapshot recorded for this source, if any. */
  readonly parent?: { readonly facts: Readonly<Record<string, Json>> }
  /** Set by backup({ changedPaths }). */
  readonly changedPaths?: readonly string[]
  /** Absolute folders, and single files, that must not be read (a repository that lies inside the source). */
  readonly excludePaths?: readonly string[]
  warn(warning: Warning): void
}

export interface SourceSession extends AsyncDisposable {
  /** Non-secret facts kept in the snapshot. Called once, after the entries have been read. */
  describe(): Promise<Readonly<Record<string, Json>>>
  /** `rows`: of tables, where it has any. What is done of them is the fact `rows` that `finish` gives of each entry. */
  totals?(): Promise<{ items: number | null; bytes: number | null; rows?: number | null }>
  /** Batches (≤ 1000), sorted by path segment by segment, by unsigned bytes; out of order is SOURCE_INCOMPLETE. */
  entries(): AsyncIterable<readonly SourceEntry[]>
  /** How many of its streams may be read at once; they are opened in path order. Default 1. */
  readonly concurrency?: number
  /** Built-in fast path: a plan that a worker scans itself, giving encoded batches instead of entries(). */
  readonly scan?: ScanPlan
}

/** Plain data: what a worker needs to scan file trees without the main thread. */
export interface ScanPlan {
  readonly kind: 'filesystem'
  /** Absolute root folders (or single files), each with the prefix its entries get ('' for a single root). */
  readonly roots: readonly { readonly path: string; readonly prefix: string }[]
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly excludePaths: readonly string[]
  readonly oneFileSystem: boolean
  readonly followSymlinks: boolean
  /** Read content even where metadata is unchanged. */
  readonly checksum: boolean
  readonly maxFileBytes: number | null
  /** Ask for the extended attributes of what is not known to be unchanged. Default false. */
  readonly xattrs?: boolean
}

/**
 * Bytes yielded by content are given away: the engine may transfer them, so never yield a slice of a buffer that you keep.
 * (A pooled Buffer is copied.)
 */
export interface SourceEntry {
  /** Relative to the source, '/' between segments; no '', '.', '..' segments, no NUL. Not UTF-8 names: `pathBytes`. */
  path: string
  type: EntryType
  size?: number
  modifiedAt?: Date
  mode?: number
  uid?: number
  gid?: number
  /** Nanoseconds since 1970; wins over `modifiedAt`. */
  mtimeNs?: bigint
  linkTarget?: string
  /** Entries of one source with the same value are names of one file. */
  linkGroup?: string
  facts?: Readonly<Record<string, Json>>
  /** Equal only if the content is equal. Absent: always read. */
  fingerprint?: string
  content?: EntryContent
}

export type EntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'device'
  | 'table'
  | 'script'
  | 'blob'
  | (string & {})

export type EntryContent =
  | { readonly from: 'file'; readonly path: string }
  | {
      readonly from: 'stream'
      open(options: { signal: AbortSignal }): AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>
      /** How it is cut. 'table' makes small chunks, for rows that change one by one. Default 'files'. */
      readonly chunks?: 'files' | 'table'
      /** Zeros in it are kept as holes, so that a restore leaves them out on the disk. Default true. */
      readonly holes?: boolean
      /**
       * Called when all of it has been read, with what a worker counted. What it gives is added to the entry's facts; if
       * it throws, the run ends and nothing is committed. While the entry's fingerprint is that of the parent snapshot, its
       * whole record of then stands, these facts and all.
       */
      finish?(proof: StreamProof): EntryFacts | Promise<EntryFacts>
      /**
       * Nothing else is worth less without it, as with a file: where it is gone before its first byte (SOURCE_NOT_FOUND) it
       * is left out with a warning, and with `onEntryError: 'skip'` also where the source cannot read it. Default false: any
       * failure ends the run.
       */
      readonly skippable?: boolean
      /**
       * Asked after the last byte: says what was read, where that is a later version than the one listed. That one's
       * fingerprint is dropped then, so the next backup reads it again.
       */
      instead?(): { readonly size: number; readonly modifiedAt?: Date } | undefined
    }
  | { readonly from: 'bytes'; readonly bytes: Uint8Array }

export type EntryFacts = Readonly<Record<string, Json>>

/** Of the bytes of one stream, all of them. */
export interface StreamProof {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
  /** Bytes 0x0a: rows of a text COPY, lines of a text. */
  readonly lineFeeds: number
}

/**
 * Adds `apiVersion` to a source of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export function defineSource(source: Omit<Source, 'apiVersion'>): Source {
  return {
    ...source,
    apiVersion: stampVersion(source),
    name: source.name,
    kind: source.kind,
    open: (context) => source.open(context),
    ...(source.sink && { sink: () => source.sink!() }),
    ...(source.doctor && { doctor: (context) => source.doctor!(context) }),
    ...(source.check && { check: (context) => source.check!(context) }),
  }
}
