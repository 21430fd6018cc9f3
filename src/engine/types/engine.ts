import type { Pin } from '../../model/pin.ts'
import type { Key } from '../../repository/key-slots-key.ts'
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { Transform } from '../../transforms/transform.ts'
import type { Clock } from '../../util/clock.ts'
import type { BackupOptions } from './backup.ts'
import type { Retention } from './retention.ts'

export type { Pin } from '../../model/pin.ts'
export type { Key }

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

export interface PinOptions {
  signal?: AbortSignal | undefined
}

export interface CacheOptions {
  /** Each repository gets a folder of its own in it. */
  directory: string
  /** Of one repository's folder, about; what was not used for the longest time goes first. Default 512 MiB. */
  maxBytes?: number
}

export type BackupDefaults = Pick<
  BackupOptions,
  'verify' | 'onEntryError' | 'timeoutMs' | 'stallMs' | 'maxSourceBytes' | 'maxStoredBytes'
>

export interface WorkerPool extends AsyncDisposable {
  readonly threads: number
  close(): Promise<void>
}

/** pino's shape, and the console's with the arguments turned round. */
export interface Logger {
  debug(fields: object, message?: string): void
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
}
