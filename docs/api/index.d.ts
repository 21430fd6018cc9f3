import type { Readable, Writable } from 'node:stream'

/** A run of this engine that has not ended yet. */
export interface ActiveRun {
  readonly runId: string
  readonly verb: Verb
  readonly startedAt: Date
  readonly actor?: string
  /** The latest one; absent before the first. */
  readonly progress?: Progress
  /** Ends the run with ABORTED; `reason` is the error's cause. */
  abort(reason?: unknown): void
}

export interface AddKeyOptions extends CallOptions {
  /** Whose key it is, or where it is kept: 1 to 256 characters. Anybody who can read the target can read it. */
  label: string
}

/** Says what to change; what is not given stays. At least one. */
export interface AnnotateOptions extends CallOptions {
  /** '' takes it away. */
  name?: string
  /** '' takes it away. */
  description?: string
  addTags?: readonly string[]
  removeTags?: readonly string[]
  /** Takes the place of one with the same reason. */
  addHold?: Hold
  /** The reason of one of its holds. */
  removeHold?: string
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

export type BackupDefaults = Pick<
  BackupOptions,
  'verify' | 'onEntryError' | 'timeoutMs' | 'stallMs' | 'maxSourceBytes' | 'maxStoredBytes'
>

/**
 * A repository, opened. Several engines, in several processes, may have the same one open and back up into it at once.
 * Every verb takes one object of options; an unknown or bad one is INVALID_OPTIONS. After `close()` every verb rejects
 * with ENGINE_CLOSED. A promise that resolves means: done, durable, and checked to the level asked for.
 */
export declare class BackupEngine implements AsyncDisposable {
  #private
  /** What runs did: reports, newest first. */
  readonly history: History
  /** Who may open the repository: passphrases, raw keys, keys that a service keeps. */
  readonly keys: Keys
  private constructor()
  /**
   * Opens a repository, or creates it in an empty place. Starts no timer and no worker until a verb needs one.
   * @throws BackupError KEY_WRONG, REPOSITORY_NOT_FOUND, REPOSITORY_FOREIGN, FORMAT_UNSUPPORTED, CONFIG_TAMPERED, TARGET_*;
   * ROLLED_BACK where it shows less than `pin` says
   */
  static open(options: EngineOptions): Promise<BackupEngine>
  get repositoryId(): string
  /** Backs up all chosen sources, as of one moment, into one snapshot. Resolves when it is durable and verified. */
  backup(options?: BackupOptions): Promise<BackupResult>
  /** Proves the repository, or some snapshots, sound. Damage is a finding (`sound: false`), not a rejection. */
  verify(options?: VerifyOptions): Promise<VerifyResult>
  /**
   * Restores a snapshot beside what is live, looks at it, and takes it away again. What went wrong is a finding (`sound:
   * false`), not a rejection. @throws BackupError SNAPSHOT_NOT_FOUND, ENTRY_NOT_FOUND for a source that is not in it
   */
  drill(options?: DrillOptions): Promise<DrillResult>
  /**
   * Looks for what would make backups fail or be lost: target, clock, space, threads, limits, keys, sources. What is wrong is a
   * finding with its fix, errors first, never a rejection; what it puts to try the target it takes away again.
   */
  doctor(options?: DoctorOptions): Promise<Finding[]>
  /** Sizes, ratios, growth and success, counted from snapshots, reports and the index. Reads no content. */
  stats(options?: StatsOptions): Promise<Stats>
  /** Snapshots that fit, newest first. */
  snapshots(filter?: SnapshotFilter): Listing<Snapshot>
  /** @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS */
  snapshot(ref: SnapshotRef): Promise<Snapshot>
  /** What a snapshot holds: one folder of it, or all below. In path order. */
  entries(options: EntriesOptions): Listing<Entry>
  /** One file of a snapshot, or a range of it, as a stream. @throws BackupError ENTRY_NOT_FOUND */
  read(options: ReadOptions): Promise<Readable>
  /** What is different between two snapshots, or a snapshot and what the sources hold now. */
  diff(options: DiffOptions): Promise<Diff>
  /** Says what a restore would do. Touches nothing. */
  planRestore(options: PlanRestoreOptions): Promise<RestorePlan>
  /**
   * Does what a plan says. @throws BackupError PLAN_STALE when what it would touch has changed since, PLAN_FOREIGN for
   * another repository's plan, CONFIRMATION_REQUIRED when it destroys something and `confirm` is not its digest
   */
  restore(plan: RestorePlan, options?: RestoreOptions): Promise<RestoreResult>
  /**
   * Changes what may change about a snapshot: its name, description, tags and holds. Several who do so at once all succeed.
   * @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS
   */
  annotate(snapshot: SnapshotRef, change: AnnotateOptions): Promise<Snapshot>
  /**
   * Says which snapshots would be forgotten, and why: by a retention policy (the engine's, if none is given), or by name.
   * Touches nothing. @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS; HELD where one that is named has a hold
   */
  planForget(options?: PlanForgetOptions): Promise<ForgetPlan>
  /**
   * Takes snapshots out of the list. Their space is freed by a prune, once their time is over. @throws BackupError
   * PLAN_STALE when a snapshot that the plan keeps is gone, or tags, holds or proofs have changed; PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  forget(plan: ForgetPlan, options?: ForgetOptions): Promise<ForgetResult>
  /** Forgotten snapshots that no prune has freed yet: `undoForget` brings them back. The last forgotten comes first. */
  forgotten(options?: { signal?: AbortSignal | undefined }): Listing<ForgottenSnapshot>
  /**
   * Brings a forgotten snapshot back, with an id of its own and all else as it was. @throws BackupError SNAPSHOT_NOT_FOUND
   * where a prune has freed it, or it is not forgotten; SNAPSHOT_AMBIGUOUS, OBJECT_MISSING
   */
  undoForget(snapshot: string, options?: CallOptions): Promise<UndoForgetResult>
  /**
   * Says what erasing some paths from history would take, from which snapshots, and which other paths hold the same content.
   * Touches nothing. @throws BackupError HELD, UNSUPPORTED for parts of a database
   */
  planErase(options: PlanEraseOptions): Promise<ErasePlan>
  /**
   * Gives each snapshot a successor without those entries, and ends it for good. All bytes are gone after the next prune with
   * `result.prune`. @throws BackupError PLAN_STALE when holds or tags have changed, PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  erase(plan: ErasePlan, options?: EraseOptions): Promise<EraseResult>
  /** Says what a prune would free. Touches nothing. @throws BackupError OBJECT_MISSING, OBJECT_CORRUPT where damage forbids it */
  planPrune(options?: PlanPruneOptions): Promise<PrunePlan>
  /**
   * Deletes what no snapshot needs. Backups may go on and begin meanwhile; those under way are waited for. One that was
   * killed is taken up by the next. @throws BackupError PLAN_STALE after another prune, or when a snapshot that the plan
   * keeps is gone, PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  prune(plan: PrunePlan, options?: PruneOptions): Promise<PruneResult>
  /** Says what is wrong with the repository, what can be saved, and what the rest costs. Touches nothing. */
  planRepair(options?: PlanRepairOptions): Promise<RepairPlan>
  /** Saves what can be saved. Nothing that can be read goes without `drop`. @throws BackupError as `prune` */
  repair(plan: RepairPlan, options?: RepairOptions): Promise<RepairResult>
  /**
   * A snapshot, or a part of it, as a ZIP: to a file, a stream or a target. Nothing is left where it fails.
   * @throws BackupError SNAPSHOT_NOT_FOUND, ENTRY_NOT_FOUND for a source that is not in it, RESTORE_CONFLICT where something is there
   */
  exportZip(options: ExportZipOptions): Promise<ExportResult>
  /**
   * A ZIP as a snapshot of kind 'import': one that `exportZip` has made comes back exactly, others as far as a ZIP can say.
   * @throws BackupError ZIP_CORRUPT, ZIP_UNSAFE_PATH, ZIP_ENCRYPTED, ZIP_BOMB, UNSUPPORTED for other compressions than deflate
   */
  importZip(options: ImportZipOptions): Promise<ImportResult>
  /**
   * What the repository shows now, as small JSON without secrets: for `open({ pin })`, which notices when it shows less. Keep it
   * where whoever can write to the target cannot. @throws BackupError ROLLED_BACK where it shows less than at the last pin
   */
  pin(options?: PinOptions): Promise<Pin>
  /** What runs now in this engine. */
  runs(): readonly ActiveRun[]
  /**
   * One run from now to its end: current progress first, the last item has its report. Ends at once for a run that is
   * over. Of other processes' runs only the report is known. On abort it just ends. @throws BackupError RUN_NOT_FOUND
   */
  follow(
    runId: string,
    options?: {
      signal?: AbortSignal | undefined
    },
  ): AsyncIterable<RunUpdate>
  /** Calls `listener` at every such event. What it throws is logged and goes no further. */
  on<K extends EventName>(event: K, listener: Listener<K>): this
  once<K extends EventName>(event: K, listener: Listener<K>): this
  off<K extends EventName>(event: K, listener: Listener<K>): this
  /** Lets runs finish for up to `graceMs` milliseconds (default 0), aborts the rest, ends workers, closes the target. */
  close(options?: { graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Thrown by every call of the package. Test it with `BackupError.is(e)`, which also works across two installed copies. */
export declare class BackupError extends Error {
  readonly code: ErrorCode
  readonly origin: ErrorOrigin
  readonly retryable: boolean
  readonly details: Readonly<Record<string, Json>>
  readonly hint?: string
  constructor(code: ErrorCode, message: string, options: BackupErrorOptions)
  toJSON(): Json
  static is(value: unknown): value is BackupError
}

export interface BackupErrorOptions {
  origin: ErrorOrigin
  /** True where the same call may succeed later without any change. Default false. */
  retryable?: boolean
  /** Plain facts (paths, sizes, codes of the system). Never a secret. */
  details?: Readonly<Record<string, Json>>
  /** What to do about it, in one sentence. */
  hint?: string
  cause?: unknown
}

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

export interface CacheOptions {
  /** Each repository gets a folder of its own in it. */
  directory: string
  /** Of one repository's folder, about; what was not used for the longest time goes first. Default 512 MiB. */
  maxBytes?: number
}

/** What every verb takes. */
export interface CallOptions<P extends Progress = Progress> {
  /** Stops the work within a second: the promise rejects with ABORTED and nothing half-done is left behind. */
  signal?: AbortSignal | undefined
  /** At most 10 a second, never going back, always a last one. A callback that throws is logged and ignored. */
  onProgress?: (progress: P) => void
  /**
   * Your id for this run (1 to 64 visible ASCII characters: a UUID, a ULID, a nanoid …; capitals count), so that a route can
   * answer before it ends. Default: generated. In every event and report. The id of an active run is RUN_EXISTS.
   */
  runId?: string
  /** Who asked; kept in the report. At most 256 characters. */
  actor?: string
  /** Milliseconds until TIMEOUT (retryable: what is uploaded stays, the next run goes on from there). Default: no limit. */
  timeoutMs?: number
  /** No byte and no entry for this many milliseconds: TIMEOUT with `details.stalled`. Default: no limit. */
  stallMs?: number
}

export interface CallSignal {
  signal?: AbortSignal | undefined
}

export interface Change {
  path: EntryPath
  type: ChangeType
  before?: Entry
  after?: Entry
  /** Names of extended attributes (ACLs are `system.posix_acl_…`) that were added, changed or removed; absent: none. */
  xattrs?: readonly string[]
}

/** 'modified': content, or where a link points. 'metadata': mode, owner, time or facts alone. */
export type ChangeType = 'added' | 'modified' | 'deleted' | 'metadata' | 'type-changed'

export interface CheckContext {
  readonly signal: AbortSignal
  readonly facts: EntryFacts
  readonly reader: SinkReader
}

export interface Clock {
  /** Wall clock: may jump. For what is shown and stored. */
  now(): Date
  /** Milliseconds from some start, never going back. For durations. */
  monotonicMs(): number
  /**
   * Resolves after `ms` milliseconds; rejects with ABORTED as soon as the signal aborts. With `unref` the wait alone does
   * not keep the process alive.
   */
  sleep(
    ms: number,
    options?: {
      signal?: AbortSignal | undefined
      unref?: boolean
    },
  ): Promise<void>
}

export interface CommandOptions {
  /** First segment of the entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /** The program: an absolute path, or a name that is looked for in PATH. No shell is between. */
  file: string
  /**
   * Its arguments, as they are. Other users of the machine can see them, so secrets belong into `env` or a file.
   * Default: none.
   */
  args?: readonly string[]
  /**
   * Added to the environment of this process; `undefined` takes a variable away. Values of four or more characters are
   * masked where the program repeats them on its standard error. Default: the environment as it is.
   */
  env?: Readonly<Record<string, string | undefined>>
  /** Path of the entry within the source. Default: the source's name with '.out'. */
  path?: string
}

/** What to do with something that is in the way. */
export type ConflictPolicy = 'overwrite' | 'keep' | 'rename' | 'fail'

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

export interface Diff {
  /** Id of the snapshot, or 'empty'. */
  base: string
  /** Id of the snapshot, or 'live'. */
  head: string
  /** How many changes of each type, and the sizes of their entries together: as in head, of deleted ones as in base. */
  totals: Readonly<
    Record<
      ChangeType,
      {
        count: number
        bytes: number
      }
    >
  >
  /** In path order. Of two snapshots, those beyond the first 10,000 are found again when they are asked for. */
  changes: Listing<Change>
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

export interface DoctorOptions extends CallOptions {
  /** Names of the engine's sources to look at. Default: all. */
  sources?: readonly string[]
  /** Milliseconds that one check may take before it is the finding CHECK_TIMED_OUT. Default 30,000. */
  checkTimeoutMs?: number
  /** Where less than this share of the target's space is free, that is the finding SPACE_LOW. 0 to 1; default 0.1. */
  minFreeShare?: number
}

export interface DrillContext {
  readonly snapshot: Snapshot
  /** Where each source is: a path, or what its sink says. */
  readonly places: Readonly<Record<string, Json>>
  readonly signal: AbortSignal
}

/** A restore to see whether it works: into a place beside what is live, and taken away again. */
export interface DrillOptions extends CallOptions {
  /** Default 'latest'. */
  snapshot?: SnapshotRef
  /** Default: everything. */
  select?: Selection
  /**
   * By source name. Default: the sink of the engine's own source of that name (told that it is a drill); a source that has
   * none, and files, go into a temporary folder.
   */
  sinks?: Readonly<Record<string, Sink>>
  /** Looks at what was restored, while it is there. What it throws is a finding. */
  check?(context: DrillContext): Promise<void>
}

/** What went wrong is a finding, not an exception: the promise rejects only where no drill could be begun, and on abort. */
export interface DrillResult extends RunResult {
  /** False where any finding is an error. */
  sound: boolean
  /** Milliseconds until all was restored and prepared; without the check, and without taking it away again. */
  recoveryMs: number
  findings: Finding[]
  /** For a file or a mail: what was done, how long it took, what was found. */
  toText(): string
}

/**
 * Minutes, hours, days, weeks, months or years: '30d', '12h', '6mo'; or milliseconds. Days and longer are those of the
 * calendar in the policy's time zone, so a day may have 23 or 25 hours; 31 March less a month is the last of February.
 */
export type Duration = number | `${number}${'m' | 'h' | 'd' | 'w' | 'mo' | 'y'}`

export declare const ERROR_CODES: readonly [
  'INVALID_OPTIONS',
  'PEER_MISSING',
  'PLUGIN_INCOMPATIBLE',
  'ENGINE_CLOSED',
  'UNSUPPORTED',
  'CONFIRMATION_REQUIRED',
  'PLAN_STALE',
  'PLAN_FOREIGN',
  'ABORTED',
  'TIMEOUT',
  'LIMIT_EXCEEDED',
  'RUN_EXISTS',
  'RUN_NOT_FOUND',
  'REPOSITORY_NOT_FOUND',
  'REPOSITORY_FOREIGN',
  'FORMAT_UNSUPPORTED',
  'SNAPSHOT_NOT_FOUND',
  'SNAPSHOT_AMBIGUOUS',
  'ENTRY_NOT_FOUND',
  'OBJECT_MISSING',
  'OBJECT_CORRUPT',
  'CONFIG_TAMPERED',
  'ROLLED_BACK',
  'RUN_FENCED',
  'HELD',
  'KEY_MISSING',
  'KEY_WRONG',
  'KEY_SLOT_CORRUPT',
  'KEY_NOT_FOUND',
  'KEY_LAST',
  'KEY_PROVIDER_FAILED',
  'TARGET_UNREACHABLE',
  'TARGET_AUTH',
  'TARGET_DENIED',
  'TARGET_NOT_FOUND',
  'TARGET_FULL',
  'TARGET_THROTTLED',
  'TARGET_PROTOCOL',
  'TARGET_OBJECT_NOT_FOUND',
  'SOURCE_UNREACHABLE',
  'SOURCE_DENIED',
  'SOURCE_NOT_FOUND',
  'SOURCE_CHANGED',
  'SOURCE_INCOMPLETE',
  'SOURCE_EMPTY',
  'SOURCE_SHRUNK',
  'POSTGRES_AUTH',
  'POSTGRES_LOST',
  'POSTGRES_LOCKED',
  'POSTGRES_TIMEOUT',
  'POSTGRES_ROW_SECURITY',
  'POSTGRES_CLIENT_MISSING',
  'POSTGRES_CLIENT_WRONG',
  'POSTGRES_DUMP_FAILED',
  'RESTORE_CONFLICT',
  'RESTORE_UNSAFE_PATH',
  'RESTORE_FULL',
  'RESTORE_DENIED',
  'RESTORE_BLOCKED',
  'RESTORE_MISMATCH',
  'RESTORE_UNREACHABLE',
  'RESTORE_NOT_FOUND',
  'RESTORE_REJECTED',
  'ZIP_CORRUPT',
  'ZIP_UNSAFE_PATH',
  'ZIP_ENCRYPTED',
  'ZIP_TRUNCATED',
  'ZIP_ALTERED',
  'ZIP_BOMB',
  'TRANSFORM_UNKNOWN',
  'TRANSFORM_FAILED',
  'INTERNAL',
]

/** Event name to payload. Payloads are objects, so they can grow. */
export interface EngineEvents
  extends VerbEvents<'backup', RunResults['backup']>,
    VerbEvents<'verify', RunResults['verify']>,
    VerbEvents<'restore', RunResults['restore']>,
    VerbEvents<'drill', RunResults['drill']>,
    VerbEvents<'copy', RunResults['copy']>,
    VerbEvents<'forget', RunResults['forget']>,
    VerbEvents<'prune', RunResults['prune']>,
    VerbEvents<'repair', RunResults['repair']>,
    VerbEvents<'undo', RunResults['undo']>,
    VerbEvents<'keys', RunResults['keys']>,
    VerbEvents<'erase', RunResults['erase']>,
    VerbEvents<'export', RunResults['export']>,
    VerbEvents<'import', RunResults['import']> {
  /** A source holds its point in time. */
  'source:open': RunEvent & {
    source: string
  }
  /** Read completely: connections and locks are gone, uploads may go on. */
  'source:release': RunEvent & {
    source: string
  }
  /** A call to the target failed and is tried again after `delayMs`. */
  'target:retry': RunEvent & {
    key: string
    operation: string
    attempt: number
    delayMs: number
    error: BackupError
  }
}

export interface EngineOptions {
  target: Target
  /** Secret that opens the repository. 'none' = an unencrypted repository, said aloud. */
  key: Key | 'none'
  /** What `backup()` reads. May be empty: an engine that only reads needs none. */
  sources?: readonly Source[]
  /** For data written from now on. Default: [zstd()]; encryption follows from `key`. Reading never asks this. */
  transforms?: readonly Transform[]
  /** 'if-empty' (default): create in an empty place only. 'never': REPOSITORY_NOT_FOUND. */
  create?: 'if-empty' | 'never'
  /**
   * What `engine.pin()` gave before. ROLLED_BACK if the target shows less by now, or another repository; nothing is created then.
   * `engine.pin()` compares with it again.
   */
  pin?: Pin
  /** Ends the opening, e.g. where a key provider or the target does not answer. Of no effect once it is open. */
  signal?: AbortSignal | undefined
  /** Default: one pool shared by all engines of the process. 'inline' = no threads. */
  workers?: WorkerPool | 'inline'
  /** Before upload, decode every new segment and compare it with what was read. Default true; costs about a fifth of CPU. */
  decodeCheck?: boolean
  /** For every backup() that does not say otherwise. */
  defaults?: BackupDefaults
  /** What `planForget()` keeps, unless it says otherwise. Nothing is ever forgotten by itself. */
  retention?: Retention
  /** More wait their turn. Default 4; one source is never read twice at once. */
  maxConcurrentRuns?: number
  /**
   * Where index fragments, pages and records of the repository may be kept near, as stored (sealed) bytes. A cache may be
   * deleted at any time; a folder that cannot be written to is a warning. Default: `'none'` for local targets, a
   * folder below `os.tmpdir()`, for this user only, for remote ones.
   */
  cache?: CacheOptions | 'none'
  /** Host name kept in snapshots. Default os.hostname(); set it where containers change names. */
  host?: string
  /** Nothing is ever written to the console; without a logger nothing is logged. */
  logger?: Logger
  clock?: Clock
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

export type EntryContent =
  | {
      readonly from: 'file'
      readonly path: string
    }
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
      instead?():
        | {
            readonly size: number
            readonly modifiedAt?: Date
          }
        | undefined
    }
  | {
      readonly from: 'bytes'
      readonly bytes: Uint8Array
    }

export type EntryFacts = Readonly<Record<string, Json>>

/** `<source>/<path>`: 'uploads/2026/a.png'. */
export type EntryPath = string

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

export interface EraseOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
}

/** Plain JSON, as every plan. It holds the paths: keep it no longer than it is needed. */
export interface ErasePlan {
  readonly kind: 'erase'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** True if anything is erased: then erase() wants `confirm`. */
  readonly destructive: boolean
  readonly request: {
    readonly paths: readonly string[]
    readonly sources?: readonly string[]
    readonly includeHeld: boolean
  }
  /** Those that hold such entries, oldest first. Each gets a successor without them. */
  readonly snapshots: readonly ErasedFrom[]
  /** Forgotten ones that hold such entries: they can be brought back no more. */
  readonly forgotten: readonly {
    readonly snapshot: string
    readonly entries: number
    readonly bytes: number
  }[]
  /** Others that hold such entries, since only some snapshots were named: there they stay, and so does the content. */
  readonly others: readonly string[]
  /** All that were looked through, also forgotten ones: what is in none of these is not touched, and named afterwards. */
  readonly looked: readonly string[]
  /** Of all snapshots together: an entry that is in ten of them counts ten times. */
  readonly entries: number
  readonly bytes: number
  /** The first 1,000 paths, and how many there are. */
  readonly paths: readonly string[]
  readonly distinctPaths: number
  /** The first 1,000 others that hold the same content, in whole or in part, in any snapshot: this content stays. */
  readonly shared: readonly SharedContent[]
  readonly distinctShared: number
  readonly warnings: readonly Warning[]
}

export interface EraseResult extends RunResult {
  /** Oldest first. Those that were gone already are not among them. */
  erased: {
    from: string
    to: string
  }[]
  /** Forgotten ones that can be brought back no more. */
  dropped: string[]
  /** Stay as they are: they got a hold after the plan was made. One that got it late has a successor, too. */
  held: string[]
  /** Of all snapshots together. */
  entries: number
  bytes: number
  /** For `planPrune`: a prune with these leaves no byte of it. Before that, all of it is still there. */
  prune: Pick<PlanPruneOptions, 'minDeadShare'>
}

export interface ErasedFrom {
  readonly snapshot: string
  readonly entries: number
  readonly bytes: number
  /** What of it may change, in short: tags, holds, damage. Another one makes the plan stale. */
  readonly state: string
  /** Its successor is there already: a call before this one was cut short. */
  readonly successor?: string
}

export type ErrorCode = (typeof ERROR_CODES)[number]

/** Whose failure it was. A target's failure is never taken for a source's. */
export type ErrorOrigin = 'source' | 'sink' | 'target' | 'repository' | 'transform' | 'usage'

export interface ExportResult extends RunResult {
  /** Id of the snapshot. */
  snapshot: string
  /** Entries of the snapshot that it holds. */
  entries: number
  /** Of the ZIP; of the encrypted file where it is that. */
  bytes: number
  /** Hex; of the same bytes. */
  sha256: string
  /** The file, or the keys of the objects in order. Empty for a stream. */
  volumes: string[]
}

export interface ExportZipOptions extends CallOptions {
  snapshot: SnapshotRef
  to: ZipDestination
  /** Default: everything. */
  select?: Selection
  /** 0 (nothing is compressed) to 9. Content that does not get smaller is always stored as it is. Default 6. */
  compressionLevel?: number
  /**
   * Made by `passphrase()`: the whole ZIP, names too, becomes a file of age (https://age-encryption.org), which `age -d` opens.
   * Takes 128 MiB of memory for half a second at the beginning. Default: it is not encrypted.
   */
  encrypt?: Key
  /**
   * Bytes of the largest object that is put to a target. A longer ZIP becomes `<key>.001`, `<key>.002` …, which `cat` or 7z
   * joins. As much is kept in memory. 1 MiB to 1 GiB, default 32 MiB.
   */
  maxVolumeBytes?: number
}

export interface FilesystemOptions {
  /** First segment of every entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /**
   * A folder, or a single file. Relative ones are taken from the working folder of now. With several, each one's base name
   * is the first segment below the source's name, so two of one name are refused. A link is followed.
   */
  path: string | readonly string[]
  /**
   * Globs (minimatch, with dot files) of what to take in, relative to the source; a folder that matches is taken whole.
   * Default: everything.
   */
  include?: readonly string[]
  /** Globs of what to leave out; wins over `include`. Folders left out are not entered. Default: none. */
  exclude?: readonly string[]
  /** Do not enter folders on which another file system is mounted. Default false. */
  oneFileSystem?: boolean
  /** Take in what links lead to, instead of the links. One that leads to a folder above itself stays a link. Default false. */
  followSymlinks?: boolean
  /** Read all content each time, whatever size and times say. Default false. */
  checksum?: boolean
  /** Leave out files of more bytes than this, with the warning ENTRY_SKIPPED. Default: no limit. */
  maxFileBytes?: number
  /**
   * Extended attributes and ACLs, by the program `getfattr` (package attr, Linux). Only entries that are not known to be
   * unchanged are asked for theirs. 'auto' (default): where the program is there, else the warning XATTRS_UNAVAILABLE. True:
   * without it `open()` throws PEER_MISSING. What the last snapshot was made without is read once more when they come in.
   */
  xattrs?: 'auto' | boolean
}

/** A typed result of a check. */
export interface Finding {
  code: string
  severity: 'info' | 'warning' | 'error'
  message: string
  /** What to do about it, in one sentence. */
  fix?: string
  /** Key of the stored object it is about. */
  object?: string
  affects?: {
    snapshots: string[]
    entries: number
    bytes: number
  }
  details?: Readonly<Record<string, Json>>
}

export interface FolderOptions {
  /** Made if it is not there. A relative path is taken from the working folder of now. */
  path: string
  /** Give entries their recorded uid and gid. Without the right to, warns OWNER_NOT_RESTORED and goes on. Default true. */
  owner?: boolean
  /**
   * Give entries their extended attributes and ACLs, by the program `setfattr` (package attr, Linux). What cannot be set warns
   * XATTRS_NOT_RESTORED. 'auto' (default): where the program is there, else the warning XATTRS_UNAVAILABLE if entries have
   * some. True: without it `open()` throws PEER_MISSING.
   */
  xattrs?: 'auto' | boolean
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

export interface ForgetOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
  /**
   * Another run that is about to forget what this plan keeps, and gives no sign of life for so many milliseconds, was killed, and
   * is passed by; one that does makes the plan stale. At least 180,000; default 900,000.
   */
  deadRunMs?: number
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

export interface ForgetResult extends RunResult {
  /** Ids. What was gone already is not among them. */
  forgotten: string[]
  kept: number
}

/** What would be there at a later time. */
export interface ForgetSimulation {
  readonly at: string
  /** Newest first. */
  readonly kept: readonly SimulatedSnapshot[]
}

/** A snapshot that was forgotten and can still be brought back, under the id that it had. */
export interface ForgottenSnapshot extends Omit<Snapshot, 'checksum'> {
  forgottenAt: Date
}

export interface GetOptions extends CallSignal {
  range?: {
    start: number
    end: number
  }
  /** A hint, which a target may pass over: see `GetPieces`. */
  pieces?: GetPieces | undefined
}

/**
 * Parts of the range that can be used while the rest is still coming. A target that heeds it calls `take` with each of them,
 * in order, in a buffer of its own, as soon as its last byte is there, and resolves with no bytes at all; what lies between
 * them is left out. One that does not resolves with the whole range. After a failure of `get` those given so far are good,
 * and a repetition may give them again. `take` does not throw.
 */
export interface GetPieces {
  /** From the start of the range on; in order, not empty, none inside another. */
  readonly places: readonly {
    readonly start: number
    readonly end: number
  }[]
  take(piece: number, bytes: Uint8Array<ArrayBuffer>): void
}

export interface GroupStats {
  readonly snapshots: number
  readonly sourceBytes: number
  /** What these backups added when they were made, before and after compression. */
  readonly newBytes: number
  readonly storedBytes: number
  readonly newest: Date
}

export interface GzipOptions {
  /** 1 to 9; default 6. */
  level?: number
}

export interface HealOptions {
  signal?: AbortSignal | undefined
  /**
   * How objects that both have are compared. 'listing' (default): by size, and by checksum where both keep the same kind;
   * 'bytes': by reading both, which finds damage as well.
   */
  compare?: 'listing' | 'bytes'
  /**
   * What a mirror has and the first target has not: 'keep' (default) and count, since it may be what the first has lost; or
   * 'delete', which a mirror needs after a prune that it has missed.
   */
  extra?: 'keep' | 'delete'
  onProgress?: (progress: HealProgress) => void
}

export interface HealProgress {
  /** Name of the mirror. */
  target: string
  /** Objects dealt with, of this mirror. */
  done: number
  total: number
}

/** Objects of all mirrors together. */
export interface HealResult {
  /** Were missing on a mirror. */
  copied: number
  /** Were different on a mirror. */
  replaced: number
  /** Packs that were damaged on the first target, and were put back from a mirror. */
  repaired: number
  /** Extra ones that were deleted. */
  deleted: number
  /** Extra ones that were kept. */
  extra: number
  /** Packs that are not what their name says on any of the two. */
  damaged: readonly string[]
  /** Bytes written. */
  bytes: number
}

export interface History {
  /** A run that is not over yet has no report; see `runs()`. */
  list(filter?: HistoryFilter): Listing<Report>
  /** @throws BackupError RUN_NOT_FOUND */
  get(
    runId: string,
    options?: {
      signal?: AbortSignal | undefined
    },
  ): Promise<Report>
}

/** Which reports; everything given must hold. Newest first. */
export interface HistoryFilter {
  verbs?: readonly ReportedVerb[]
  status?: readonly Exclude<RunStatus, 'running'>[]
  actor?: string
  /** Started at this time or later. */
  after?: Date
  /** Started before this time. */
  before?: Date
  /** Every word occurs in run id, verb, actor, host, snapshot or error; upper and lower case are the same. */
  search?: string
  signal?: AbortSignal | undefined
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

/** As of a backup; the snapshot's kind is 'import'. */
export interface ImportResult extends BackupResult {}

export interface ImportZipOptions extends CallOptions {
  from: ZipOrigin
  /** Of an encrypted ZIP: the passphrase, as `passphrase()` makes it. INVALID_OPTIONS where the ZIP is not encrypted. */
  key?: Key
  /** What the source is called, of a ZIP that this package has not made. Default 'zip'. */
  source?: string
  /** Default: that of the exported snapshot. */
  name?: string
  /** At most 64. Default: those of the exported snapshot. */
  tags?: readonly string[]
  /** ZIP_BOMB when it has more entries. About 300 bytes of memory for each. Default 1,000,000. */
  maxEntries?: number
  /** ZIP_BOMB when all of it takes more bytes, unpacked. Default: no limit. */
  maxBytes?: number
  /** ZIP_BOMB when all of it takes so many times the bytes of the ZIP, and more than 1 GiB. Default 200. */
  maxRatio?: number
}

/** The one error class of the package. Codes are API and only ever added; messages are for people and may change. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | {
      readonly [key: string]: Json
    }

/** Made by `passphrase()`, `rawKey()` or `keyProvider()`. Holds a secret that never shows up in logs, errors or JSON. */
export interface Key {
  readonly kind: string
}

export interface KeyProviderOptions {
  /** Names the provider and its key, e.g. the ARN of a KMS key: slots of other ids are not tried. 1 to 256 characters. */
  id: string
  /** Encrypts 32 bytes. Called when a slot is made: by a creation, `keys.add` and `keys.change`. */
  wrap(key: Uint8Array, call: ProviderCall): Promise<Uint8Array>
  /** Gives back what `wrap` was given. Called at every open, and as a proof when a slot is made. */
  unwrap(wrapped: Uint8Array, call: ProviderCall): Promise<Uint8Array>
}

/** One of the keys that open a repository. When it was used last nobody can say: opening writes nothing. */
export interface KeySlot {
  /** 32 hex digits. */
  id: string
  kind: 'passphrase' | 'raw' | 'provider'
  label: string
  createdAt: Date
  /** Of kind 'provider': its `id`. */
  provider?: string
  /** This engine was opened with it. */
  current: boolean
}

/** Who may open the repository. An unencrypted one has no keys: `list` is empty, and changes are UNSUPPORTED. */
export interface Keys {
  /** Those that can be read, oldest first; `verify` names the damaged ones. */
  list(options?: { signal?: AbortSignal | undefined }): Promise<KeySlot[]>
  /**
   * One more key. It is stored, read back and opened before it counts.
   * @throws BackupError LIMIT_EXCEEDED above 64, KEY_PROVIDER_FAILED
   */
  add(key: Key, options: AddKeyOptions): Promise<KeySlot>
  /**
   * Another secret in place of a key's; its label stays. The new one counts and the old one no longer, in one step.
   * @throws BackupError KEY_NOT_FOUND, KEY_PROVIDER_FAILED
   */
  change(slotId: string, key: Key, options?: CallOptions): Promise<KeySlot>
  /**
   * The key opens the repository no longer. Whoever has had it may have kept what was in it: `rotate` after this, so that
   * new data is not for them. @throws BackupError KEY_NOT_FOUND; KEY_LAST where no other sound one would be left
   */
  remove(slotId: string, options?: CallOptions): Promise<void>
  /** New keys for new data, which only the slots of now can get. Nobody has to give a passphrase. */
  rotate(options?: RotateOptions): Promise<RotateResult>
  /** What is wrong with the keys, and what is worth knowing. Damage is a finding, not a rejection. */
  verify(options?: { signal?: AbortSignal | undefined }): Promise<Finding[]>
  /**
   * A text to be printed and locked away, with a fresh key of its own, which `rawKey()` reads. It is shown this once, and
   * listed with a label that says so.
   */
  recoverySheet(options?: CallOptions): Promise<string>
}

/** What `keys:complete` carries. */
export interface KeysResult extends RunResult {
  action: 'add' | 'change' | 'remove' | 'rotate' | 'recovery-sheet'
  /** Id of the slot that came, or went. */
  slot?: string
  /** Number of the epoch that new data is sealed under: 1, and one more with each rotation. */
  generation: number
  /** All that open the repository now, oldest first. */
  slots: KeySlot[]
}

/** What can be long: iterate over it, take a page of it, or take it all. Nothing is read before that. */
export interface Listing<T> extends AsyncIterable<T> {
  /** `limit`: 1 to 10,000, default 100. `cursor`: `next` of the page before; a foreign one is INVALID_OPTIONS. */
  page(options?: { limit?: number; cursor?: string }): Promise<Page<T>>
  /** All of it, or the first `limit`. */
  toArray(options?: { limit?: number }): Promise<T[]>
}

export interface LocalTargetOptions {
  /**
   * Waits until each object is on the disk itself, so that it outlives a power cut. Default true. False is for tests and
   * scratch repositories: a crash of the machine may then leave objects that are empty or cut short.
   */
  fsync?: boolean
}

/** pino's shape, and the console's with the arguments turned round. */
export interface Logger {
  debug(fields: object, message?: string): void
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
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

export interface MemoryTargetOptions {
  /** The most bytes all objects may have together; a put beyond it is TARGET_FULL. Default: no limit. */
  maxBytes?: number
}

/** A read that was answered by a mirror. */
export interface MirrorFallOver {
  /** The mirror's name. */
  target: string
  operation: 'get' | 'stat' | 'list'
  /** The key, or the prefix of a list. */
  key: string
  /** Why the target before it did not answer; absent while it is being left alone after a failure. */
  error?: unknown
}

/** A write that a mirror has missed, so that it lags behind until it is healed. */
export interface MirrorLag {
  /** The mirror's name. */
  target: string
  operation: 'put' | 'delete'
  keys: readonly string[]
  error: unknown
}

export interface MirroredOptions {
  /**
   * Targets that must have a write before it is done, the first one always among them: 1 to all of them. Default: all. The
   * others get it behind that, and `close()` waits for them.
   */
  writeQuorum?: number
  /** Bytes of bodies that may wait for slower mirrors; then writes wait. Default 64 MiB. */
  maxWaitingBytes?: number
  /** Told of every write that a mirror has missed. It lags until `heal()`. */
  onLag?: (lag: MirrorLag) => void
  /** Told of every read that a mirror has answered. */
  onFallOver?: (fallOver: MirrorFallOver) => void
}

export interface MirroredTarget extends Target {
  /** Names of mirrors that have missed a write of this process and were not healed since. */
  readonly lagging: readonly string[]
  /**
   * Makes each mirror what the first target is: copies what is missing, replaces what is different. Of packs the one that
   * is what its name says is right, wherever it lies; of all else the first target's. Safe beside running backups.
   * @throws BackupError REPOSITORY_FOREIGN where a mirror holds another repository, REPOSITORY_NOT_FOUND where the first
   * target holds none and a mirror does, TARGET_*
   */
  heal(options?: HealOptions): Promise<HealResult>
}

export interface ObjectInfo {
  key: string
  size: number
  modifiedAt?: Date
  /** Of the stored bytes, as the target keeps it, where `traits.checksums` says so: lower-case hex. */
  checksum?: string
}

export interface Page<T> {
  items: T[]
  /** Cursor of the page that follows; absent on the last one. */
  next?: string
  /** How many there are on all pages, where that is known without reading them. */
  total?: number
}

/** Plain JSON, no secret. Keep it where whoever can write to the target cannot. */
export interface Pin {
  kind: 'pin'
  version: 1
  repositoryId: string
  /** When it was made: UTC, ISO 8601. */
  at: string
  /** The newest config: its number and SHA-256. */
  config: {
    n: number
    hash: string
  }
  /** Number of the last prune; 0 where there was none. */
  prune: number
  /** The newest snapshot that is not dated in the future, and the SHA-256 of its object. Null where there was none. */
  snapshot: {
    id: string
    hash: string
  } | null
  /** Ids beyond that one: they say nothing about what came after this pin. */
  later: string[]
}

export interface PinOptions {
  signal?: AbortSignal | undefined
}

export interface PlanEraseOptions extends CallOptions {
  /**
   * Patterns of entry paths, as in a selection: 'uploads/anna/**', 'uploads/anna' (with all below it). At least one. Put a
   * backslash before what is to be taken as it is.
   */
  paths: readonly string[]
  /** Names of sources; others are not looked into. Default: all. */
  sources?: readonly string[]
  /** Only these snapshots. Default: all of every kind, and forgotten ones that could still be brought back. */
  snapshots?: readonly SnapshotRef[]
  /** True: also from snapshots with a hold. Their successors are held in the same way. Default false: HELD. */
  includeHeld?: boolean
}

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

export interface PlanRepairOptions extends CallOptions, RepairPlaces {
  /** How it is looked for, as verify() has it. Default 'data': every byte is read. */
  level?: 'structure' | 'data'
}

export interface PlanRestoreOptions extends CallOptions {
  snapshot: SnapshotRef
  /** Required: there is no default destination. `folder` gets one directory per source; `sinks` go by source name. */
  to:
    | {
        folder: string
      }
    | {
        sinks: Readonly<Record<string, Sink>>
      }
  select?: Selection
  /**
   * Where entries go instead: old to new `<source>/<path>`, both of one source. A folder moves with all it holds; the longest
   * path that fits wins. INVALID_OPTIONS where two entries would meet; ENTRY_NOT_FOUND where nothing restored is there.
   */
  rename?: Readonly<Record<EntryPath, EntryPath>>
  /** Changes carried inside the plan, at most 10,000. Default 1000. */
  inlineChanges?: number
}

export interface ProbeCheck {
  name: string
  ok: boolean
  /** What was found, or why it failed. */
  note?: string
  /** Of the error that it failed with, and what can be done about that, where the target has said so. */
  code?: ErrorCode
  hint?: string
}

export interface ProbeReport {
  /** True if a repository can be kept there: all checks but, where the target does not promise it, `create once`. */
  ok: boolean
  /** As the target says, but for `createOnly`, which is what was found. */
  traits: TargetTraits
  checks: readonly ProbeCheck[]
  /** A table for people. */
  toText(): string
}

/** How far a run is. At most 10 a second, `percent` never goes back, and the last one is always sent. */
export interface Progress {
  runId: string
  verb: Verb
  /** What the run does now, e.g. 'read', 'commit'; a word for people, not a closed list. */
  phase: string
  /** 0 to 100; null while the total is unknown. */
  percent: number | null
  /** Milliseconds still to go, estimated; null when it cannot be said. */
  etaMs: number | null
  elapsedMs: number
  /** `<source>/<path>` that is worked on now. */
  currentPath?: string
  items: {
    done: number
    total: number | null
  }
  bytes: {
    done: number
    total: number | null
  }
  /**
   * Rows of tables, counted range by range as each is done. The total of a backup is that of the previous snapshot, or what
   * the server's catalogue says: an estimate. Absent where nothing counts rows.
   */
  rows?: {
    done: number
    total: number | null
  }
  /** Bytes written to the target so far. */
  storedBytes: number
  /** Smoothed over the last seconds. */
  bytesPerSecond: number
}

/** Handed on to a provider. */
export interface ProviderCall {
  /** Aborts when the answer is no longer wanted. */
  readonly signal: AbortSignal | undefined
}

export interface PruneCost {
  readonly packs: number
  readonly bytes: number
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

export interface PutOptions extends CallSignal {
  /** Create only: resolves false, and changes nothing, if the key exists. */
  ifAbsent?: boolean
  /**
   * SHA-256 of the body in lower-case hex, where whoever made it has computed that already. A target that would compute it
   * takes this one, and must not keep a body that has another; others ignore it.
   */
  sha256?: string | undefined
}

export interface ReadOptions {
  snapshot: SnapshotRef
  /** A file. Nothing there: ENTRY_NOT_FOUND. */
  path: EntryPath
  /** Bytes, half open; `end` defaults to the end of the file. */
  range?: {
    start: number
    end?: number
  }
  signal?: AbortSignal | undefined
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
  readonly total: {
    readonly entries: number
    readonly bytes: number
  }
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

/** Where what is lost may still be. */
export interface RepairPlaces {
  /** Read for content that is lost: what has not changed there is stored anew. Default: the engine's own; [] for none. */
  sources?: readonly Source[]
  /** Other places with objects of this very repository: a mirror, or a copy of its folder. Default: none. */
  mirrors?: readonly Target[]
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
  readonly places: {
    readonly sources: readonly string[]
    readonly mirrors: readonly string[]
  }
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

export interface RepairResult extends RunResult {
  /**
   * 'pending': all is saved that could be, but packs that are lost or damaged could not be named dead yet, since others were at
   * work (`waitingFor`). Plan and repair again.
   */
  state: 'done' | 'pending'
  /** What is still wrong, as verify() with level 'structure' says it. */
  findings: Finding[]
  /** Chunks that are there again, or were copied out of damaged packs. */
  saved: {
    chunks: number
    bytes: number
  }
  /** Objects that were copied from mirrors. */
  copied: number
  /** Packs that were named dead. */
  retired: number
  /** Snapshots that took the place of others, and what was left out of each. */
  rewritten: {
    snapshot: string
    from: string
    entries: number
    bytes: number
  }[]
  /** Ids of snapshots that were dropped. */
  dropped: string[]
  waitingFor: string[]
}

export interface RepairStep {
  readonly action: RepairAction
  /** For people. */
  readonly message: string
  /** Keys of the stored objects that it is about; the first thousand. */
  readonly objects: readonly string[]
  /** Null: nothing. Else what is given up, and done only with `drop`. */
  readonly loses: string | null
}

/** What a run did: kept in the repository as history and audit. */
export interface Report {
  runId: string
  verb: Verb
  status: RunStatus
  startedAt: Date
  endedAt?: Date
  durationMs?: number
  actor?: string
  host: string
  /** Id of the schedule that asked for it. */
  schedule?: string
  /** Id of the snapshot that the run made, or read. */
  snapshot?: string
  counts: Readonly<Record<string, number>>
  /** The options of the call as plain data, without secrets. */
  options: Json
  warnings: readonly Warning[]
  error?: {
    code: ErrorCode
    origin: ErrorOrigin
    message: string
    retryable: boolean
  }
}

/** Verbs whose runs have events, reports and a place in the history. */
export type ReportedVerb =
  | 'backup'
  | 'verify'
  | 'restore'
  | 'drill'
  | 'copy'
  | 'forget'
  | 'prune'
  | 'repair'
  | 'export'
  | 'import'
  | 'undo'
  | 'keys'
  | 'erase'

export interface RestoreChange {
  path: EntryPath
  /** Where it goes. */
  to: string
  type: RestoreChangeType
  decision: ConflictPolicy
  bytes: number
  /** Why it is blocked or in conflict. */
  reason?: string
}

export type RestoreChangeType =
  | 'create'
  | 'update-content'
  | 'update-metadata'
  | 'replace-type'
  | 'delete-extra'
  | 'identical'
  | 'conflict-modified'
  | 'conflict-deleted'
  | 'conflict-extra'
  | 'blocked'

export interface RestoreOptions extends CallOptions {
  /** `plan.digest`, as the person who confirmed sends it back. */
  confirm?: string
  /**
   * Sync each file, read it back and compare, before it gets its name. Default false: what is written has had its hash
   * checked the moment before, and syncing 100,000 files one by one takes minutes.
   */
  verify?: boolean
}

/** Plain JSON: `JSON.parse(JSON.stringify(plan))` is the same plan. Times are ISO strings for that reason. */
export interface RestorePlan {
  readonly kind: 'restore'
  readonly version: 1
  /** Over all the rest: a changed plan is refused. */
  readonly digest: string
  readonly repositoryId: string
  readonly createdAt: string
  /** Id of the snapshot. */
  readonly snapshot: string
  /** What was asked for, in plain data. */
  readonly request: Json
  /** True if running it overwrites or deletes anything: then restore() wants `confirm`. */
  readonly destructive: boolean
  readonly totals: RestoreTotals
  readonly changes: readonly RestoreChange[]
  /** There are more changes than the plan carries. */
  readonly changesTruncated: boolean
  readonly download: {
    readonly packs: number
    readonly bytes: number
  }
  readonly space: {
    readonly needed: number
    readonly free?: number
  }
  readonly warnings: readonly Warning[]
}

export interface RestoreResult extends RunResult {
  totals: RestoreTotals
  /** All of it was read again and compared: asked for with `verify`, and done for folders into which nothing is renamed. */
  verified: boolean
  /** Where each source went: a path, or what its sink says. */
  places: Readonly<Record<string, Json>>
}

export type RestoreTotals = Readonly<
  Record<
    RestoreChangeType,
    {
      count: number
      bytes: number
    }
  >
>

/**
 * What stays. A snapshot stays if any of the keep rules wants it; `maxAge` and `maxCount` then limit what they want. Rules
 * apply to each group by itself. At least one keep rule is needed: no policy means "forget all". Plain JSON.
 */
export interface Retention {
  /** The newest ones, so many. */
  keepLast?: number
  /** The newest one of each of the last so many hours that have any; the others alike. */
  keepHourly?: number
  keepDaily?: number
  keepWeekly?: number
  keepMonthly?: number
  keepQuarterly?: number
  keepYearly?: number
  /** All that are at most so much older than the newest of their group, which goes on when backups have stopped. */
  keepWithin?: Duration
  /** None that is older than this, whatever wants it. Holds are stronger. */
  maxAge?: Duration
  /** At most so many in each group; the oldest go. Holds are stronger. */
  maxCount?: number
  /** What tells groups apart; `[]`: all are one. Default ['host', 'sources']. */
  groupBy?: readonly RetentionGroup[]
  /** IANA name of the zone whose days and hours count, e.g. 'Europe/Berlin'. Default 'UTC'. */
  timeZone?: string
  /** Default 'monday'. */
  weekStart?: 'monday' | 'sunday'
  /** `maxAge` may take the last one of a group. Default false: the newest one stays, with a warning. */
  allowEmptyGroup?: boolean
  /** The newest snapshot that was proved sound may go. Default false: it stays, with a warning. */
  allowDropVerified?: boolean
}

/** `sources` and `tags`: the whole set. */
export type RetentionGroup = 'host' | 'sources' | 'tags' | 'schedule'

/** When to try again, and how long to wait before. */

export interface RetryNotice {
  operation: 'put' | 'get' | 'stat' | 'list' | 'delete'
  /** The key; the prefix of a list; the first key of a delete. */
  key: string
  /** The attempt that failed, from 1. */
  attempt: number
  /** Until the next one. */
  delayMs: number
  error: BackupError
}

export interface RetryingOptions {
  /** Attempts per call, the first included. 1 or more; default 5. */
  attempts?: number
  /** No new attempt of a call begins later than this after its first. Default 60,000 ms. */
  budgetMs?: number
  /**
   * Repetitions that all calls together may have open: each takes one, and a call that succeeds gives back its own and
   * one more. So in an outage a thousand calls send a thousand requests and this many, not five thousand. Default 100.
   */
  sharedRetries?: number
  /** Told before each wait. */
  onRetry?: (notice: RetryNotice) => void
  /** For tests. Default: the system's. */
  clock?: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** For tests: numbers from 0 up to 1. Default: Math.random. */
  random?: () => number
}

export interface RotateOptions extends CallOptions {
  /**
   * Seals what was stored before anew, in a prune that follows (with its default options; its own run and report). Default
   * false: old data stays under the old keys. A prune that is interrupted is taken up by `planPrune({ rekeyOldData: true })`.
   */
  rekeyOldData?: boolean
}

export interface RotateResult extends KeysResult {
  /** Of the prune, where `rekeyOldData` was set. 'pending': backups were under way; prune again with a new plan. */
  rekeyed?: PruneResult
}

export interface RunCounts {
  readonly ok: number
  readonly failed: number
  readonly aborted: number
  /** 0 to 1: `ok` of `ok` and `failed`. What somebody stopped is neither. Null without any. */
  readonly successRate: number | null
}

/** What every event of a run carries. */
export interface RunEvent {
  runId: string
  /** Who asked, as given to the verb. */
  actor?: string
  at: Date
}

/** What every verb that is a run resolves with, beside its own fields. */
export interface RunResult {
  runId: string
  startedAt: Date
  endedAt: Date
  durationMs: number
  warnings: Warning[]
}

/** Which result ends which verb: what `<verb>:complete` carries. */
export interface RunResults extends Record<ReportedVerb, unknown> {
  backup: BackupResult
  verify: VerifyResult
  restore: RestoreResult
  drill: DrillResult
  copy: CopyResult
  forget: ForgetResult
  prune: PruneResult
  repair: RepairResult
  undo: UndoForgetResult
  keys: KeysResult
  erase: EraseResult
  export: ExportResult
  import: ImportResult
}

export type RunStatus = 'running' | 'ok' | 'failed' | 'aborted'

/** What `follow()` yields: progress and warnings while the run goes on, `end` as the last item. */
export type RunUpdate =
  | {
      type: 'progress'
      progress: Progress
    }
  | {
      type: 'warning'
      warning: Warning
    }
  | {
      type: 'end'
      report: Report
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

export interface SharedContent {
  /** With the source before it. */
  readonly path: string
  /** How much of its content is also in what is to be erased. */
  readonly bytes: number
  /** It is another name (a hard link) of a file that is to be erased. */
  readonly linked: boolean
}

export interface SimulatedSnapshot {
  /** Absent: it was not made yet. */
  readonly snapshot?: string
  readonly createdAt: string
  readonly reasons: readonly string[]
  readonly group: string
}

/** What there will be, if the policy is applied after each backup. Give `until` or `inDays`. */
export interface Simulation {
  until?: Date
  /** Days of the calendar from now on. */
  inDays?: number
  /** Each group gets a complete snapshot so often. Default: no more snapshots, only time goes on. */
  every?: Duration
}

/**
 * Where a restore writes. Two phases, so that several sinks switch together: write… → prepare (all checked, nothing live
 * touched) → commit. Never a half-written file under its final name; refuses paths that leave its root.
 */
export interface Sink {
  readonly apiVersion: 1
  readonly name: string
  open(context: SinkContext): Promise<SinkSession>
  /** For planRestore: what a restore would do there. It changes nothing. Absent: everything is 'create'. */
  plan?(context: SinkContext, reader: SinkReader): Promise<SinkPlan>
}

export interface SinkChange {
  /** Within the source. */
  readonly path: string
  /** For people: where it goes. */
  readonly to: string
  /** 'replace' and 'drop' make the plan destructive; 'blocked' makes restore() refuse it. */
  readonly type: 'create' | 'replace' | 'drop' | 'blocked'
  readonly bytes: number
  readonly reason?: string
}

export interface SinkContext {
  readonly signal: AbortSignal
  readonly runId: string
  /** What the source said of itself when the snapshot was made. */
  readonly facts: Readonly<Record<string, Json>>
  /** A drill: it ends with rollback() after prepare(), so prepare() checks as much as it can. */
  readonly drill?: boolean
  warn(warning: Warning): void
}

/** What a sink is told about an entry. */
export interface SinkEntry {
  /** Where it goes: as in the snapshot, unless renamed. */
  readonly path: string
  /** Its path in the snapshot, where that differs. */
  readonly from?: string
  readonly type: EntryType
  readonly size: number
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtimeNs?: bigint
  readonly linkTarget?: string
  readonly linkGroup?: string
  readonly facts: Readonly<Record<string, Json>>
}

export interface SinkPlan {
  readonly changes: readonly SinkChange[]
  /** What may go wrong, or must be known before: missing roles, other versions, open sessions. */
  readonly warnings: readonly Warning[]
  /** Something that is there now would be overwritten or deleted. */
  readonly destructive: boolean
  readonly freeBytes?: number
}

/** The snapshot, for a sink that reads what it wants in its own order. */
export interface SinkReader {
  /** What was selected, in path order, in batches. */
  entries(): AsyncIterable<readonly SinkEntry[]>
  /**
   * Content of one entry, selected or not, by its path in the snapshot. Several may be read at once. Fetched ahead; a
   * consumer that stops early ends the fetching. @throws BackupError ENTRY_NOT_FOUND
   */
  content(path: string): AsyncIterable<Uint8Array>
  /** For progress: this entry is done. */
  done(entry: SinkEntry): void
}

export interface SinkSession extends AsyncDisposable {
  /** What is there now, sorted as a source sorts; absent: nothing can be compared, everything is 'create'. */
  current?(): AsyncIterable<readonly SourceEntry[]>
  space?(): Promise<{
    freeBytes?: number
  }>
  /** One entry, in path order, a directory before what it holds. */
  write(entry: SinkEntry, content: AsyncIterable<Uint8Array>): Promise<void>
  /** For a sink that orders its own work, as a database must. Called once, instead of write(). */
  pull?(reader: SinkReader): Promise<void>
  remove?(entry: SinkEntry): Promise<void>
  prepare(): Promise<void>
  commit(): Promise<void>
  /** Undo everything since open(). Called on any failure, also in a later process for `runId`. */
  rollback(reason: unknown): Promise<void>
  /** Where things went, for the result. Asked for after prepare() and after commit(). */
  where?(): Json
  /** Built-in fast path: a plan that workers write themselves, instead of write(). */
  readonly place?: PlacePlan
}

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
  copiedFrom?: {
    repository: string
    snapshot: string
  }
  /** Of one that took another's place: that one's id, why (a repair, or an erasure), and what of it was left out in all. */
  rewrittenFrom?: {
    snapshot: string
    why: 'repair' | 'erase'
    entries: number
    bytes: number
  }
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
  lastVerified?: {
    at: Date
    level: VerifyLevel
    sound: boolean
  }
}

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

export type SnapshotKind = 'backup' | 'restore-point' | 'import'

/**
 * An id, a unique prefix of one (at least 4 characters), 'latest', or the newest that fits a filter ("as of last Tuesday").
 * None: SNAPSHOT_NOT_FOUND; several: SNAPSHOT_AMBIGUOUS with `details.candidates`.
 */
export type SnapshotRef =
  | 'latest'
  | (string & {})
  | {
      latest: SnapshotFilter
    }

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

export interface SourceContext {
  readonly signal: AbortSignal
  /** What the parent snapshot recorded for this source, if any. */
  readonly parent?: {
    readonly facts: Readonly<Record<string, Json>>
  }
  /** Set by backup({ changedPaths }). */
  readonly changedPaths?: readonly string[]
  /** Absolute folders, and single files, that must not be read (a repository that lies inside the source). */
  readonly excludePaths?: readonly string[]
  warn(warning: Warning): void
}

export interface SourceDoctorContext {
  readonly signal: AbortSignal
  /** As in `open`: absolute folders and files that a backup leaves out, since the repository lies there. */
  readonly excludePaths?: readonly string[]
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

export interface SourceSession extends AsyncDisposable {
  /** Non-secret facts kept in the snapshot. Called once, after the entries have been read. */
  describe(): Promise<Readonly<Record<string, Json>>>
  /** `rows`: of tables, where it has any. What is done of them is the fact `rows` that `finish` gives of each entry. */
  totals?(): Promise<{
    items: number | null
    bytes: number | null
    rows?: number | null
  }>
  /** Batches (≤ 1000), sorted by path segment by segment, by unsigned bytes; out of order is SOURCE_INCOMPLETE. */
  entries(): AsyncIterable<readonly SourceEntry[]>
  /** How many of its streams may be read at once; they are opened in path order. Default 1. */
  readonly concurrency?: number
  /** Built-in fast path: a plan that a worker scans itself, giving encoded batches instead of entries(). */
  readonly scan?: ScanPlan
}

export interface SourceStats {
  readonly snapshots: number
  /** Of all of them together. */
  readonly bytes: number
  /** Of the newest one. */
  readonly newestBytes: number
  readonly newestEntries: number
  readonly newest: Date
}

/** All sizes in bytes. Names as in `BackupCounts`. */
export interface Stats {
  /** When it was counted, by the engine's clock. */
  at: Date
  /** Of the buckets. */
  timeZone: string
  /** How many fit the filter. */
  snapshots: number
  /** Objects that nobody can read; they are counted nowhere else. */
  damagedSnapshots: number
  /** Times of creation; absent without any. */
  oldest?: Date
  newest?: Date
  /** What all of them hold: what it would take to restore each by itself. */
  sourceBytes: number
  /** Per snapshot; null without any. */
  averageSourceBytes: number | null
  averageNewBytes: number | null
  averageStoredBytes: number | null
  averageDurationMs: number | null
  /** 0 to 1: how many of them were last proved sound. Null without any. */
  verifiedShare: number | null
  /** By name of the source. */
  bySource: Readonly<Record<string, SourceStats>>
  /** By id; '' = those that no schedule asked for. */
  bySchedule: Readonly<Record<string, GroupStats>>
  /** A snapshot counts for each of its tags. */
  byTag: Readonly<Record<string, GroupStats>>
  byHost: Readonly<Record<string, GroupStats>>
  /** Backups that have ended, by their reports. */
  runs: RunCounts
  /** The same for every verb that leaves reports, backups too. */
  runsByVerb: Readonly<Record<string, RunCounts>>
  /** The 24 hours up to `at`. */
  last24h: StatsPeriod
  /** The 168 hours up to `at`. */
  last7d: StatsPeriod
  /** Oldest first, without gaps, up to now. At most the last 10,000. */
  growth: readonly StatsPeriod[]
  /** Packs of the repository as it is now, whatever the filter. What only forgotten snapshots need is in it until a prune. */
  packs: number
  storedBytes: number
  /** What these packs hold, before compression. */
  rawBytes: number
  /** Of all snapshots of every kind what they hold, to `rawBytes`. Above 1: shared between files or snapshots. Null: no packs. */
  dedupRatio: number | null
  /** `rawBytes` to `storedBytes`. Null: no packs. */
  compressionRatio: number | null
  /** With `countTarget`. */
  target?: TargetStats
}

export type StatsBucket = 'day' | 'week' | 'month'

export interface StatsOptions extends CallOptions {
  /**
   * Snapshots that are counted. Default: backups, no restore points and no imports. Of runs, `sources`, `tags`, `schedules`,
   * `hosts`, `after` and `before` are looked at. What the repository takes is never filtered.
   */
  filter?: SnapshotFilter
  /** Runs are counted, and `growth` begins, with the bucket of this time. Default: the oldest snapshot or run. */
  since?: Date
  /** Default 'day'. */
  buckets?: StatsBucket
  /** Default 'UTC'. */
  timeZone?: string
  /** Default 'monday'. */
  weekStart?: 'monday' | 'sunday'
  /** True: also counts all objects on the target, in `target`. Costs a listing of everything. Default false. */
  countTarget?: boolean
}

/** From `from` on and before `to`. Snapshots count at the time when they came into this repository. */
export interface StatsPeriod {
  readonly from: Date
  readonly to: Date
  /** Those that are still there. */
  readonly snapshots: number
  readonly sourceBytes: number
  /** What backups added, before and after compression, also those whose snapshots are forgotten by now. */
  readonly newBytes: number
  readonly storedBytes: number
  /** What prunes freed. */
  readonly freedBytes: number
  /** Of backups. */
  readonly runs: RunCounts
  /** Of backups that succeeded, by their reports. Null without any. */
  readonly averageDurationMs: number | null
}

/** Of the bytes of one stream, all of them. */
export interface StreamProof {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
  /** Bytes 0x0a: rows of a text COPY, lines of a text. */
  readonly lineFeeds: number
}

/**
 * Where objects are kept. Promises an adapter gives:
 *  1. `put` is atomic: a reader sees the whole old or the whole new object; durable and listed once it resolves.
 *  2. `put` with `ifAbsent` resolves false, and changes nothing, if the key exists. Of 16 at once exactly one gets true.
 *  3. `get` never gives fewer bytes than asked; a range past the end is TARGET_PROTOCOL, a missing key TARGET_OBJECT_NOT_FOUND.
 *  4. `list` yields every key below the prefix that existed throughout, each once, in any order. A prefix is the
 *     beginning of a string: `a` is also the prefix of `ab` and `a/b`.
 *  5. `delete` of missing keys is fine, and nothing but the given keys goes.
 *  6. After abort no new mutation begins; the promise rejects with ABORTED (a mutation that was already under way may
 *     still have happened).
 *  7. No retries inside: report `retryable` and let the `retrying` wrapper decide.
 *  8. After `close` nothing of it keeps the process alive, and no file stays open.
 *  9. Keys are what `checkKey` accepts; anything else is INVALID_OPTIONS. No key is a folder of another: where `a`
 *     exists, `a/b` need not be possible.
 *
 * `targetConformance` of `holdfast/testing` checks every one of them.
 */
export interface Target {
  readonly apiVersion: 1
  readonly name: string
  readonly traits: TargetTraits
  /**
   * Bodies own their ArrayBuffer from offset 0 (never shared, never a slice of a pool). They must not be changed or kept.
   * Resolves true, except for an `ifAbsent` that found the key taken.
   */
  put(key: string, body: Uint8Array<ArrayBuffer>, options?: PutOptions): Promise<boolean>
  /** `range` is half open, in bytes. The result owns its ArrayBuffer, so it can be transferred to a worker. */
  get(key: string, options?: GetOptions): Promise<Uint8Array<ArrayBuffer>>
  stat(key: string, options?: CallSignal): Promise<ObjectInfo | undefined>
  list(prefix: string, options?: CallSignal): AsyncIterable<ObjectInfo>
  delete(keys: readonly string[], options?: CallSignal): Promise<void>
  /** Free and used bytes of what the objects lie on, where it can be known. */
  space?(): Promise<{
    freeBytes?: number
    usedBytes?: number
  }>
  /** What endangers a repository here and shows in no call, each with its fix; for `engine.doctor()`. Changes nothing. */
  doctor?(context: TargetDoctorContext): Promise<Finding[]>
  /**
   * The absolute folder of this machine that holds the objects, `a/b` as the file `a/b`. Backups leave out **all** of it,
   * so that a repository inside a source is not backed up into itself: nothing else may lie there.
   */
  readonly localPath?: string
  /** Absolute single files that it writes to, such as a database and its journals. Backups leave out exactly these. */
  readonly localFiles?: readonly string[]
  close(): Promise<void>
}

export interface TargetDoctorContext {
  readonly signal: AbortSignal
  /** Beginning of the keys that count, where it is a part of this target: `prefixed` adds to it. Default '': all. */
  readonly prefix?: string
}

export interface TargetStats {
  readonly objects: number
  readonly bytes: number
  /** 'packs', 'index', 'snapshots' … */
  readonly byArea: Readonly<
    Record<
      string,
      {
        readonly objects: number
        readonly bytes: number
      }
    >
  >
}

export interface TargetTraits {
  /** `put` with `ifAbsent` is atomic between processes. */
  createOnly: boolean
  /** Calls that may be under way at once. */
  maxConcurrency: number
  maxObjectBytes?: number
  checksums?: 'sha256' | 'crc32' | 'none'
  remote?: boolean
}

export interface ThrottledOptions {
  /** Bytes a second of the bodies of put and get together, over all calls. More than 0. */
  bytesPerSecond: number
  /** For tests. Default: the system's. */
  clock?: Pick<Clock, 'monotonicMs' | 'sleep'>
}

/**
 * One reversible step that a segment (about 1 MiB of chunks) goes through before it is stored. Pure and synchronous:
 * it runs in a worker when `worker` names its module, else on the main thread.
 */
export interface Transform {
  readonly apiVersion: 1
  /** Stored beside every segment, 1 to 32 characters of a-z, 0-9, '-': never reuse one for another encoding. */
  readonly id: string
  readonly kind: 'compress' | 'encrypt' | 'other'
  encode(segment: Uint8Array, context: TransformContext): Uint8Array
  /** Throws rather than give more than `maxBytes`. */
  decode(
    segment: Uint8Array,
    context: TransformContext & {
      maxBytes: number
    },
  ): Uint8Array
  /** Module with a named export that makes this transform from plain `options`. Absent: runs on the main thread. */
  readonly worker?: {
    readonly url: URL
    readonly export: string
    readonly options?: Json
  }
}

/** For kind 'encrypt' only: fresh for every segment, derived from the engine's key. A transform never sees that key. */
export interface TransformContext {
  readonly key?: Uint8Array
  readonly nonce?: Uint8Array
  readonly aad?: Uint8Array
}

export interface UndoForgetResult extends RunResult {
  /** With an id of its own; `undoneFrom` names the one that was forgotten. */
  snapshot: Snapshot
  /** Id of the one that was forgotten. */
  forgotten: string
}

/** Every verb that is a run: can be listed by `runs()`, followed and aborted. */
export type Verb =
  | ReportedVerb
  | 'diff'
  | 'annotate'
  | 'plan-restore'
  | 'plan-forget'
  | 'plan-prune'
  | 'plan-repair'
  | 'plan-erase'
  | 'stats'
  | 'doctor'

export interface VerifyBudget {
  /** Stored bytes to read. */
  bytes?: number
  /** Milliseconds to read for. */
  ms?: number
  /** Share of the stored bytes, above 0 and up to 1. */
  share?: number
}

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
  snapshots: {
    id: string
    sound: boolean
  }[]
  /** Share of the stored bytes in question that were proved within the last 30 days, this run included: 0 to 1. */
  coverage: number
}

/** Something that went wrong or was left out, yet did not stop the run. */
export interface Warning {
  code: WarningCode
  message: string
  /** `<source>/<path>` of the entry it is about. */
  path?: string
  details?: Readonly<Record<string, Json>>
}

/** Codes are only ever added; expect unknown ones. */
export type WarningCode =
  | 'ENTRY_SKIPPED'
  | 'ENTRY_CHANGED_WHILE_READ'
  | 'NO_CREATE_ONCE'
  | 'WORKERS_UNAVAILABLE'
  | 'CACHE_UNAVAILABLE'
  | 'SOURCE_FINDING'
  | 'CLOCK_JUMPED'
  | 'OWNER_NOT_RESTORED'
  | 'XATTRS_UNAVAILABLE'
  | 'XATTRS_NOT_READ'
  | 'XATTRS_NOT_RESTORED'
  | 'REPORT_NOT_SAVED'
  | 'VERIFY_NOT_RECORDED'
  | 'WARNINGS_OMITTED'
  | 'TRASH_KEPT'
  | 'TRASH_INCOMPLETE'
  | 'PRUNE_GRACE'
  | 'PRUNE_NO_ROOM'
  | 'PACK_KEPT'
  | 'SOURCE_NOT_READ'
  | 'ENTRIES_LOST'
  | 'FACTS_LOST'
  | 'PARENT_LOST'
  | 'SNAPSHOT_FROM_FUTURE'
  | 'SNAPSHOT_UNREADABLE'
  | 'SNAPSHOT_HELD'
  | 'GROUP_EMPTY'
  | 'LAST_VERIFIED'
  | 'ERASE_AGAIN'
  | (string & {})

export interface WorkerPool extends AsyncDisposable {
  readonly threads: number
  close(): Promise<void>
}

export interface WorkerPoolOptions {
  /** 1 to 256. Default: `os.availableParallelism()`. */
  threads?: number
  /** Bytes of buffers (packs, segments) that the work in all threads together may hold. Default: no limit. */
  maxMemoryBytes?: number
  /**
   * Starts the threads when the pool is made and not with the first verb. For scripts that open an engine and use it at
   * once: the threads start while the key is derived from the passphrase. Default: false.
   */
  eager?: boolean
  /**
   * Where the worker's file lies: a path, or a `file:` URL. For bundles, whose worker lies elsewhere than beside them as
   * `holdfast-worker.js`. It must be of this version of holdfast. Default: beside this module.
   */
  file?: string | URL
}

/** A file that is not there yet, a stream that is ended when the ZIP is whole, or an object of any target. */
export type ZipDestination =
  | {
      readonly path: string
    }
  | {
      readonly stream: Writable
    }
  | {
      readonly target: Target
      readonly key: string
    }

/** A stream is first copied into a temporary file, since a ZIP is read from its end. */
export type ZipOrigin =
  | {
      readonly path: string
    }
  | {
      readonly stream: Readable
    }
  | {
      readonly target: Target
      readonly key: string
    }

export interface ZstdOptions {
  /** 1 to 22; default 2: the CPU time of level 1 and most of the gain of level 3, measured on 1.7 GB of mixed files. */
  level?: number
}

/**
 * The error for an aborted signal: ABORTED with the reason as its cause. A reason that is a BackupError already (a time
 * limit, a closed engine) says more and is returned as it is.
 */
export declare function abortError(reason?: unknown): BackupError

/** Encrypts with AES-256-GCM; what is used wherever the engine has a key, named or not. Adds 16 bytes. */
export declare function aes256gcm(): Transform

/**
 * Keys are relative paths: segments of a-z, 0-9, '.', '_' and '-', joined by '/'; none of them empty, '.' or '..', or longer
 * than 255 bytes; at most 1,024 bytes in all. Throws INVALID_OPTIONS.
 */
export declare function checkKey(key: string): void

/** A prefix is the beginning of keys, so it may be empty or end anywhere. Throws INVALID_OPTIONS. */
export declare function checkPrefix(prefix: string): void

/** Throws INVALID_OPTIONS for a range that no object could satisfy: not whole numbers, negative, or backwards. */
export declare function checkRange(
  range:
    | {
        start: number
        end: number
      }
    | undefined,
): void

/**
 * What a program writes to its standard output, as one entry: `mysqldump`, `redis-cli --rdb -`. It runs when the entry is
 * read, once for each snapshot. Only exit code 0 makes it whole: anything else ends the run, and there is no snapshot.
 * On abort it and all that it started get SIGTERM, and SIGKILL five seconds later.
 * @throws BackupError INVALID_OPTIONS; while it is read: SOURCE_NOT_FOUND or SOURCE_DENIED where the program cannot be
 * started, SOURCE_INCOMPLETE where it fails, with the end of what it said in `details.stderr`
 */
export declare function command(options: CommandOptions): Source

/**
 * Copies snapshots from one repository into another: opened, cut, named and encrypted anew, since no two repositories have
 * the same keys, and checked on the way. A copy has an id of its own and keeps everything else (time, host, name, tags,
 * labels, what the sources said of themselves); its `copiedFrom` names the first original. What `to` has already is not
 * copied again, and of the others only entries are read whose content is not that of the copy before; so it can be called
 * after every backup. Each copy is a commit of its own: after an abort or a failure the next call goes on from there.
 * Proofs and holds stay with the original.
 * @throws BackupError INVALID_OPTIONS, SNAPSHOT_NOT_FOUND, OBJECT_MISSING, OBJECT_CORRUPT, TARGET_*, ABORTED
 */
export declare function copySnapshots(options: CopyOptions): Promise<CopyResult>

/**
 * Adds `apiVersion` to a sink of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export declare function defineSink(sink: Omit<Sink, 'apiVersion'>): Sink

/**
 * Adds `apiVersion` to a source of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export declare function defineSource(source: Omit<Source, 'apiVersion'>): Source

/**
 * Adds `apiVersion` to a target of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export declare function defineTarget(target: Omit<Target, 'apiVersion'>): Target

/**
 * Adds `apiVersion` to a transform of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export declare function defineTransform(transform: Omit<Transform, 'apiVersion'>): Transform

/**
 * A file tree as a source: files, folders, symbolic and hard links, FIFOs, sockets and devices, with owner, mode and
 * nanosecond times. What did not change since the last snapshot (by size, mtime, ctime, inode) is not read again.
 * @throws BackupError INVALID_OPTIONS; its `open()`: SOURCE_NOT_FOUND, SOURCE_DENIED
 */
export declare function filesystem(options: FilesystemOptions): Source

/**
 * A folder as a sink. Adds to it and replaces nothing: what is there already is RESTORE_CONFLICT. Restores type, content,
 * mode (of the folder itself only if it is new), links, and times to the nearest step that Node can set (at most 120 ns off, never in another second). Without
 * `owner`, or where another owner could not be set, files lose their setuid and setgid bits.
 * @throws BackupError INVALID_OPTIONS
 */
export declare function folder(options: FolderOptions): Sink

/**
 * Compresses with gzip: slower and larger than `zstd()`, readable everywhere.
 * @throws BackupError INVALID_OPTIONS
 */
export declare function gzip({ level }?: GzipOptions): Transform

/**
 * A key that somebody else keeps, e.g. a key management service: it sees a random key of the slot, never the repository's.
 * Throws INVALID_OPTIONS. What its functions throw becomes KEY_PROVIDER_FAILED, with the error as its cause.
 */
export declare function keyProvider(options: KeyProviderOptions): Key

/**
 * Keeps each object as a file below the folder `path` (relative to the working directory of this moment), for the owner
 * alone: folders 0700, files 0600. Nothing is created before the first put, not even the folder.
 *
 * Errors: TARGET_FULL, TARGET_DENIED, TARGET_NOT_FOUND (the path is not a folder, or its disk went away), UNSUPPORTED (no
 * hard links), TARGET_UNREACHABLE (retryable), besides those of every target. INVALID_OPTIONS if the path is empty or
 * undefined, so that an unset variable never means the working directory.
 */
export declare function localTarget(path: string | undefined, options?: LocalTargetOptions): Target

/**
 * Keeps objects in memory. `objects` is the live content: a test that changes its bytes damages the object. Bodies are
 * copied in and out. Errors: TARGET_FULL over `maxBytes`, besides those of every target.
 */
export declare function memoryTarget(options?: MemoryTargetOptions): Target & {
  readonly objects: ReadonlyMap<string, Uint8Array>
}

/**
 * The first target decides and its mirrors follow. Every write needs the first one; which of several creators of an object
 * wins, and what a listing shows, it alone says. While it cannot be reached nothing can be committed, and packs come from
 * a mirror. All other reads do so too while no run of this target is under way, so that a restore works. As what was read
 * then may be old, nothing but runs is deleted from then on until the next run begins (a prune is one), which reads anew.
 * Put `retrying` around each target rather than around this. Closing it closes all.
 */
export declare function mirrored(targets: readonly Target[], options?: MirroredOptions): MirroredTarget

/**
 * A key from a passphrase, of any length. Throws KEY_MISSING for undefined, '' or blanks alone: an unset variable, or an
 * empty file, must never mean "unencrypted" (that is `key: 'none'`).
 */
export declare function passphrase(value: string | undefined): Key

/**
 * Everything below `prefix` (a relative path such as `tenants/42`, with or without a slash at its end) of another target;
 * nothing else can be reached. Keys are given and taken without it. `localPath` is the folder of that part. Closing it
 * closes the target. Throws INVALID_OPTIONS for a prefix that is no key.
 */
export declare function prefixed(target: Target, prefix: string): Target

/**
 * Puts, gets, gets ranges, stats, replaces, creates once (also eight at once), lists and deletes a few small objects below
 * a prefix of its own, and removes them. A failed check is in the report, never thrown. Some 60 requests.
 *
 * @throws BackupError ABORTED, PLUGIN_INCOMPATIBLE
 */
export declare function probe(target: Target, options?: CallSignal): Promise<ProbeReport>

/**
 * A key of 32 random bytes: as bytes, or as 64 hex digits, or in base64 or base64url, or as a recovery sheet has it (there
 * blanks and case do not matter). Blanks and line feeds around a text do not count, so a key file may end with one. Opens
 * at once, since nothing has to slow down guessing. Throws KEY_MISSING for undefined or '', INVALID_OPTIONS for anything
 * else; for a mistyped line of a sheet it names the group.
 */
export declare function rawKey(value: Uint8Array | string | undefined): Key

/** Reads as before; `put` and `delete` reject with TARGET_DENIED, not retryable. */
export declare function readOnly(target: Target): Target

/**
 * Repeats calls whose error is `retryable`, with exponential backoff and full jitter (200 ms, 400 ms … 15 s at most; the
 * store's own `details.retryAfterMs` is respected: where it asks for more than the budget has left, the error is thrown at
 * once). The last error is thrown as it is. Abort ends a wait at once. In an outage the calls of this target share a
 * number of repetitions (`sharedRetries`).
 *
 * A `put` with `ifAbsent` is not repeated blindly, since a failed one may have happened: first the key is read. Our own
 * bytes mean true, others false. None means that it can be tried again only where nobody deletes such objects or
 * it would do no harm (`config/`, `runs/`, `reports/`, `notes/`, `state/`, `index/`, `packs/`); the error is thrown for all
 * other keys, above all `snapshots/` and `gc/`, since the object may have been there and rightly be gone again; unless the
 * target has failed before it asked for it (`details.operation` is `stat`) or, for all but `snapshots/`, has answered that
 * it refuses (TARGET_THROTTLED, or `details.status` 4xx). So what is claimed by `ifAbsent` should have contents that nobody else would write: two callers with equal bytes are both
 * told true.
 */
export declare function retrying(target: Target, options?: RetryingOptions): Target

export declare const systemClock: Clock

/**
 * Spaces the bodies of `put` and `get` out to `bytesPerSecond`; up to one second's worth that was not used may come at
 * once. A body is paid for before it is sent, and a range before it is asked for; a `get` of a whole object, whose size
 * is not known before, is paid for before it resolves. Waits end with ABORTED on abort.
 */
export declare function throttled(target: Target, options: ThrottledOptions): Target

/** Throws `abortError` when the signal is aborted already. */
export declare function throwIfAborted(signal?: AbortSignal): void

/**
 * Makes a pool of your own, so that several engines together use no more than its threads. Starts none yet, unless
 * `eager`. Close it yourself, after the engines. Throws INVALID_OPTIONS.
 */
export declare function workerPool(options?: WorkerPoolOptions): WorkerPool

/**
 * A target that does what `inner` does, but for the given methods. The optional members (`space`, `doctor`,
 * `localPath`, `localFiles`) are there exactly if `inner` has them, and `traits` stays live.
 * @throws BackupError PLUGIN_INCOMPATIBLE: `inner` is made for another version
 */
export declare function wrapTarget<O extends Partial<Omit<Target, 'apiVersion'>>>(
  inner: Target,
  overrides: O,
): Target & O

/**
 * Compresses with zstd, the default.
 * @throws BackupError INVALID_OPTIONS
 */
export declare function zstd({ level }?: ZstdOptions): Transform

// Not exported, and part of what is:

type EventName = keyof EngineEvents

type Listener<K extends EventName> = (payload: EngineEvents[K]) => void

/** Plain data: what a worker needs to write files into a folder without the main thread. */
interface PlacePlan {
  readonly kind: 'folder'
  readonly root: string
  /** `root` is a new folder that nobody else knows of, and is renamed to this one at the commit. */
  readonly becomes?: string
  /** Try to set uid and gid. */
  readonly owner: boolean
  /** Set extended attributes; 'missing': there is no way to, which is said of those that have some. Default false. */
  readonly xattrs?: boolean | 'missing'
}

/** Plain data: what a worker needs to scan file trees without the main thread. */
interface ScanPlan {
  readonly kind: 'filesystem'
  /** Absolute root folders (or single files), each with the prefix its entries get ('' for a single root). */
  readonly roots: readonly {
    readonly path: string
    readonly prefix: string
  }[]
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

type VerbEvents<V extends string, R> = {
  [K in `${V}:start`]: RunEvent
} & {
  [K in `${V}:progress`]: Progress
} & {
  [K in `${V}:warning`]: RunEvent & {
    warning: Warning
  }
} & {
  [K in `${V}:complete`]: RunEvent & {
    result: R
  }
} & {
  [K in `${V}:error`]: RunEvent & {
    error: BackupError
  }
}
