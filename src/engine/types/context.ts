/** What the verbs' bodies are given: everything an open engine has. Internal. */
import type { Report, Warning } from '../../events.ts'
import type { OpenRepository } from '../../repository/open-repository.ts'
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { Clock } from '../../util/clock.ts'
import type { Lifetime } from '../close.ts'
import type { EngineEmitter } from '../emitter.ts'
import type { RunQueue } from '../run/queue.ts'
import type { RunRegistry } from '../run/runs.ts'
import type { BackupDefaults, Logger } from './engine.ts'
import type { Retention } from './retention.ts'

export interface EngineContext extends EngineParts {
  /** The engine's own, for `backup()`. */
  readonly sources: readonly Source[]
  readonly defaults: BackupDefaults
  readonly retention?: Retention
  readonly emitter: EngineEmitter
  readonly clock: Clock
  /** Never throws. */
  readonly logger: Logger
  /** Kept in snapshots and reports. */
  readonly host: string
  readonly runs: RunRegistry
  readonly queue: RunQueue
  readonly lifetime: Lifetime
}

/** What opening a repository gives to the engine. */
export interface EngineParts {
  readonly repository: OpenRepository
  readonly target: Target
  readonly pool: EnginePool
  readonly reports: ReportStore
  /** What every backup has to be told, e.g. that no worker could be started. */
  readonly warnings: readonly Warning[]
  /** Generates the id of a run. */
  newRunId(): string
  /** Called in this order when the engine closes, each whether or not the one before failed: pool, target … */
  readonly closers: readonly (() => Promise<void>)[]
}

export interface EnginePool {
  readonly threads: number
  close(): Promise<void>
}

/** Where the reports of ended runs are kept. */
export interface ReportStore {
  /** Created once; a report that is there already is RUN_EXISTS. */
  save(report: Report, options: { signal: AbortSignal }): Promise<void>
  /** @throws BackupError RUN_NOT_FOUND */
  get(runId: string, options: { signal: AbortSignal }): Promise<Report>
  /** All that can be read, in any order. */
  list(options: { signal: AbortSignal }): Promise<readonly Report[]>
}
