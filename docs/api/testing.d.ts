import type {
  BackupEngine,
  Clock,
  EngineOptions,
  EntryFacts,
  ErrorCode,
  Json,
  Sink,
  SinkContext,
  SinkEntry,
  Source,
  StreamProof,
  Target,
  Transform,
} from 'holdfast'
export { memoryTarget } from 'holdfast'

export interface CountingTarget extends Target {
  /** Every call so far, in the order they began. */
  readonly operations: readonly RecordedCall[]
  /** The most calls that were under way at once. */
  readonly maxInFlight: number
  /** How many there were, of one operation or of all, below a prefix of keys. */
  count(operation?: TargetOperation, prefix?: string): number
  /** Forgets all so far. */
  reset(): void
}

export interface CrashAfterOptions {
  /** The n-th change happens, but the process dies before it hears of it: its reply is an error. Default false. */
  lostReply?: boolean
}

export interface CrashingTarget extends Target {
  /** Changes that were let through: puts, and keys deleted (a delete of many may be cut in the middle). */
  readonly mutations: number
  /** True once calls are refused. */
  readonly crashed: boolean
}

export type ErrorFault = keyof typeof ERRORS

export interface FakeClock extends Clock {
  /** Sleepers that have not woken: zero means no timer is left. */
  readonly sleeping: number
  /** Moves time on, and wakes those who are due on the way, each at its own time, in order. */
  advance(ms: number): Promise<void>
  /**
   * Moves time on from one sleeper to the next until the promise settles, and gives what it gives. Each time it first
   * waits a moment, so that work which needs no sleeper gets on. For calls that wait by themselves, such as retries.
   */
  until<T>(promise: Promise<T>): Promise<T>
}

/** A fault that struck. */
export interface FaultHit {
  readonly operation: TargetOperation
  readonly key: string
  readonly fault: PlannedFault['fault']
}

export interface FaultyTarget extends Target {
  /** What struck so far, in order. */
  readonly hits: readonly FaultHit[]
  /** Applies what was to come `late`, in the order it was asked for; gives the number of calls. Errors of theirs are not told. */
  applyLate(): Promise<number>
  /**
   * Throws if a planned fault never struck, or a late one was never applied: a test of a fault that was not met proves
   * nothing.
   */
  assertAllHit(): void
}

/** Bytes, text (as UTF-8), or a function that gives the content as a stream, afresh each time it is called; or more of one. */
export type MemoryContent = string | Uint8Array | (() => AsyncIterable<Uint8Array>) | MemoryStream

export interface MemorySource extends Source {
  /** Writes a file, or removes it with null. Sessions that are open do not see it. */
  set(path: string, content: MemoryContent | null): void
}

/** A stream with what the contract has beside its bytes. */
export interface MemoryStream {
  open(): AsyncIterable<Uint8Array>
  chunks?: 'files' | 'table'
  /** Default: what the worker counted becomes the facts `bytes`, `sha256` and `lineFeeds`. */
  finish?(proof: StreamProof): EntryFacts | Promise<EntryFacts>
}

/** How another process makes a target of the same store: by `export` of `module`, called with `options`. */
export interface OtherProcess {
  /** A file URL, such as `new URL('./my-target.ts', import.meta.url)`. */
  module: string | URL
  export: string
  /** Plain data; it goes through a pipe, so it may hold secrets. */
  options?: unknown
}

/** Faults of what happens, or of what is told of it. */
export type OutcomeFault = 'delay' | 'truncate' | 'corrupt' | 'lost-reply' | 'late' | 'duplicate' | 'stale'

export interface PlannedFault {
  operation: TargetOperation
  /**
   * Nothing happens:
   * - `error`: TARGET_UNREACHABLE, retryable. `unavailable`: the same, as an answer 503.
   * - `slow-down`: TARGET_THROTTLED, retryable. `expired`: TARGET_AUTH. `denied`: TARGET_DENIED. `full`: TARGET_FULL.
   *
   * It happens, but:
   * - `delay`: later, by `delayMs`, or by 20 turns of the event loop.
   * - `truncate`: success is reported for a half: half a body is kept by put or given by get, half the keys are listed
   *   or deleted, half the size is told.
   * - `corrupt`: one bit of the body that is kept by put, or given by get, is another. Only for these two.
   * - `lost-reply`: it rejects with TARGET_UNREACHABLE, retryable. A list breaks off half way.
   * - `late`: it rejects as `lost-reply` does, at once; and is applied long after, by `applyLate()`. For put and delete.
   * - `duplicate`: every second row is listed twice. Only for list.
   * - `stale`: the listing is that of `changes` changes ago, made through this target. Only for list.
   */
  fault: ErrorFault | OutcomeFault
  /** Strikes the nth call that fits, from 1, once. Either this or `rate`. */
  nth?: number
  /** Strikes calls that fit by chance, 0 to 1; the same ones for the same `seed`. 1: each of them. */
  rate?: number
  /** For `rate`. Default 1. */
  seed?: number
  /** Only calls for keys (prefixes of a list, the first key of a delete) that begin so, or match. Default: all. */
  keys?: string | RegExp
  /** Of `delay`, in milliseconds of real time. */
  delayMs?: number
  /** Of `stale`: how many of the newest puts and deletions it does not show. Default 1. */
  changes?: number
  /** For a fault that is an error, other than its own. */
  error?: {
    code?: ErrorCode
    retryable?: boolean
    details?: Readonly<Record<string, Json>>
  }
}

/** Records what is asked of a target: for tests of how much traffic a verb makes. */

export interface RecordedCall {
  operation: TargetOperation
  /** The key; the prefix of a list; one record for each key of a delete. */
  key: string
  /** Of the body sent or received; absent for other operations and for calls that failed or have not ended. */
  bytes?: number
}

/** What the suites need of a test runner: vitest, node:test, mocha and jest all have it. */
export interface Runner {
  describe(name: string, body: () => void): void
  /** The context is whatever the runner hands to a test; its `skip(reason)` is called where there is one. */
  it(name: string, body: (context?: unknown) => Promise<void> | void): void
}

export interface SinkConformanceOptions {
  /** A sink for a file tree, into a place that is empty, or not there yet: another one each time. */
  create(): Promise<Sink> | Sink
  /**
   * For a sink that pulls: a snapshot of the kind that it takes, made afresh at each call. Where it is given, only what
   * holds for any sink is tested, and how it pulls.
   */
  sample?(): SinkSample
}

/** What a sink is to restore. */
export interface SinkSample {
  readonly facts: SinkContext['facts']
  /** In path order, with their content. */
  readonly entries: readonly {
    readonly entry: SinkEntry
    readonly content?: Uint8Array
  }[]
  /** Throws unless exactly the sample is there now, in the place of the last sink that was created. */
  isRestored(): Promise<void>
  /** Throws unless nothing is there: no live thing and nothing half made. */
  isEmpty(): Promise<void>
}

export interface SourceConformanceOptions {
  /** A source with at least one entry that has content; the same content each time. */
  create(): Promise<Source> | Source
  /** Changes what the source holds: adds, alters or removes at least one entry. */
  mutate?(): Promise<void>
}

/** Runs the tests of a target one by one, each on a target of its own, and notes how they end. */

export interface TargetConformanceOptions {
  /** A target to test: a fresh one, or a new handle of the same; the suite uses keys of its own and deletes them. */
  create(): Promise<Target> | Target
  /** Called after each test, when its target is closed. */
  cleanup?(): Promise<void>
  /**
   * `quick` lists 120 keys instead of 1,010 (which is one page of most stores) and races fewer rounds, for stores that
   * are slow or cost money. Default `full`.
   */
  profile?: 'quick' | 'full'
  /**
   * Makes the store answer each request with a failure that passes (a 503, a reset connection), until the function it
   * gives is called, which says how many requests came meanwhile. Without it the promise not to try again is not tried.
   */
  outage?: Outage
  /**
   * How other processes make a target of the store that `create` has just opened. Without it `put` with `ifAbsent` is raced
   * within this process only, which shows nothing of a store whose calls are synchronous; the card says so.
   */
  processes?(): OtherProcess
  /** A call that takes longer has failed, in ms. Default 20,000: above the limits of the requests it makes. */
  callMs?: number
  /** Called at the end with the capability card: a table of promises and results in Markdown, without date or version. */
  onCard?(markdown: string): void
}

/** Which call of a target fails, and how: the plan of a `faultyTarget`. */

export type TargetOperation = 'put' | 'get' | 'list' | 'stat' | 'delete'

/**
 * Runs `targetConformance` without a test runner, and gives its capability card: a table of promises and results in Markdown,
 * without dates or versions. A failure is a row of the card, not an error.
 *
 * ```ts
 * console.log(await capabilityCard({ create: () => myTarget() }))
 * ```
 */
export declare function capabilityCard(options: TargetConformanceOptions): Promise<string>

/** Does what `inner` does and records it. */
export declare function countingTarget(inner: Target): CountingTarget

/**
 * Lets the first `n` changes through; then every call, reads too, fails with TARGET_UNREACHABLE, not retryable, since a
 * dead process does not try again. With n = Infinity it only counts, which tells how many crashes there are to test.
 * `inner` stays usable: it is what the next process finds.
 */
export declare function crashAfter(inner: Target, n: number, { lostReply }?: CrashAfterOptions): CrashingTarget

/**
 * A clock for tests. Between two sleepers that wake, all that can settle does, so what the first one does comes before
 * the second one wakes. `start`: what `now()` says at first. Default 2026-01-02T03:04:05Z.
 */
export declare function fakeClock(start?: Date): FakeClock

/** Does what `inner` does, but for the planned faults. @throws BackupError INVALID_OPTIONS for a plan that cannot be */
export declare function faultyTarget(inner: Target, plan: readonly PlannedFault[]): FaultyTarget

/**
 * A source of files in memory, for tests: each session is a consistent moment, and unchanged files have equal fingerprints.
 * @throws BackupError INVALID_OPTIONS for a bad name or path
 */
export declare function memorySource(options: {
  name: string
  files?: Readonly<Record<string, MemoryContent>>
  /** Streams read at once. Default 1. */
  concurrency?: number
}): MemorySource

/**
 * Checks every promise of a sink that takes file trees. What cannot be seen without `current()` is checked as far as the
 * session itself tells.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * sinkConformance({ describe, it }, { create: () => mySink() })
 * ```
 */
export declare function sinkConformance(runner: Runner, { create, sample }: SinkConformanceOptions): void

/**
 * Checks every promise of a source that can be seen from outside. One that passes can be given to an engine.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * sourceConformance({ describe, it }, { create: () => mySource() })
 * ```
 */
export declare function sourceConformance(runner: Runner, options: SourceConformanceOptions): void

/**
 * Tries every promise of a target, as far as one machine can show it. One that passes can hold a repository. A test is skipped only for a trait by which the
 * target does not promise it; the runner's report and the card say so. Its tests must run one after the other.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * targetConformance({ describe, it }, { create: () => myTarget() })
 * ```
 */
export declare function targetConformance(runner: Runner, options: TargetConformanceOptions): void

/**
 * An engine for tests, ready in milliseconds: a memory target, a key that needs no derivation, no threads, no cache, and
 * a clock that stands still. Each option of `BackupEngine.open` may be given instead; a `passphrase()` is made cheap to derive.
 *
 * The clock moves only if you move it: a test whose engine waits (retries after a fault of the target, time limits) gives a
 * `fakeClock()` of its own and says `await clock.until(engine.backup())`.
 *
 * NEVER keep real data in a repository made by it: the passphrase is a thousand times cheaper to guess.
 */
export declare function testEngine(options?: Partial<EngineOptions>): Promise<BackupEngine>

/**
 * The promises of a transform, as tests: `create` gives a fresh one each time. A transform that passes can be given to
 * an engine.
 *
 * ```ts
 * transformConformance({ describe, it }, { create: () => brotli() })
 * ```
 */
export declare function transformConformance(
  runner: Runner,
  {
    create,
  }: {
    create(): Transform
  },
): void

// Not exported, and part of what is:

/** Faults that are an error in place of the call: nothing happens. `details.status` is what an HTTP store would answer. */
declare const ERRORS: {
  readonly error: {
    readonly code: 'TARGET_UNREACHABLE'
    readonly retryable: true
    readonly why: 'it failed as planned'
  }
  readonly unavailable: {
    readonly code: 'TARGET_UNREACHABLE'
    readonly retryable: true
    readonly why: 'the service is unavailable'
    readonly status: 503
  }
  readonly 'slow-down': {
    readonly code: 'TARGET_THROTTLED'
    readonly retryable: true
    readonly why: 'the store asks for fewer requests'
    readonly status: 503
  }
  readonly expired: {
    readonly code: 'TARGET_AUTH'
    readonly retryable: false
    readonly why: 'the credentials have expired'
    readonly status: 403
  }
  readonly denied: {
    readonly code: 'TARGET_DENIED'
    readonly retryable: false
    readonly why: 'it is not allowed'
    readonly status: 403
  }
  readonly full: {
    readonly code: 'TARGET_FULL'
    readonly retryable: false
    readonly why: 'there is no room left'
    readonly status: 507
  }
}

type Outage = () => Promise<() => Promise<number> | number> | (() => Promise<number> | number)
