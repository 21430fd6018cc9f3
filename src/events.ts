/** What the engine tells while it works: one map of event names (`noun:verb`) to one payload object each. */
import type { RunResults } from './engine/types/index.ts'
import type { BackupError, ErrorCode, ErrorOrigin, Json } from './errors.ts'

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

/** A typed result of a check. */
export interface Finding {
  code: string
  severity: 'info' | 'warning' | 'error'
  message: string
  /** What to do about it, in one sentence. */
  fix?: string
  /** Key of the stored object it is about. */
  object?: string
  affects?: { snapshots: string[]; entries: number; bytes: number }
  details?: Readonly<Record<string, Json>>
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
export type RunStatus = 'running' | 'ok' | 'failed' | 'aborted'

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
  items: { done: number; total: number | null }
  bytes: { done: number; total: number | null }
  /**
   * Rows of tables, counted range by range as each is done. The total of a backup is that of the previous snapshot, or what
   * the server's catalogue says: an estimate. Absent where nothing counts rows.
   */
  rows?: { done: number; total: number | null }
  /** Bytes written to the target so far. */
  storedBytes: number
  /** Smoothed over the last seconds. */
  bytesPerSecond: number
}

/** What every event of a run carries. */
export interface RunEvent {
  runId: string
  /** Who asked, as given to the verb. */
  actor?: string
  at: Date
}

type VerbEvents<V extends string, R> = { [K in `${V}:start`]: RunEvent } & { [K in `${V}:progress`]: Progress } & {
  [K in `${V}:warning`]: RunEvent & { warning: Warning }
} & { [K in `${V}:complete`]: RunEvent & { result: R } } & { [K in `${V}:error`]: RunEvent & { error: BackupError } }

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
  'source:open': RunEvent & { source: string }
  /** Read completely: connections and locks are gone, uploads may go on. */
  'source:release': RunEvent & { source: string }
  /** A call to the target failed and is tried again after `delayMs`. */
  'target:retry': RunEvent & { key: string; operation: string; attempt: number; delayMs: number; error: BackupError }
}

/** What `follow()` yields: progress and warnings while the run goes on, `end` as the last item. */
export type RunUpdate =
  | { type: 'progress'; progress: Progress }
  | { type: 'warning'; warning: Warning }
  | { type: 'end'; report: Report }

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
  error?: { code: ErrorCode; origin: ErrorOrigin; message: string; retryable: boolean }
}
