/** The facade: checks options, hands on. Everything else is in the verbs' own files. */
import type { Readable } from 'node:stream'
import type { Finding, RunUpdate } from '../events.ts'
import { type Calls, makeCalls } from './calls.ts'
import type { EventName, Listener } from './emitter.ts'
import { makeBasics, makeContext } from './engine-context.ts'
import { keepContext } from './engine-contexts.ts'
import { type Keys, makeKeys } from './keys/keys.ts'
import { deferListing } from './listing.ts'
import { parseEngineOptions } from './options/engine.ts'
import { parseCloseOptions } from './options/look.ts'
import { takePin } from './pin.ts'
import { followRun } from './run/follow.ts'
import { type History, makeHistory } from './run/history.ts'
import type { BackupOptions, BackupResult } from './types/backup.ts'
import type { Diff, DiffOptions, EntriesOptions, Entry, ReadOptions } from './types/browse.ts'
import type { EngineContext } from './types/context.ts'
import type { DoctorOptions } from './types/doctor.ts'
import type { DrillOptions, DrillResult } from './types/drill.ts'
import type { EngineOptions, Pin, PinOptions } from './types/engine.ts'
import type { EraseOptions, ErasePlan, EraseResult, PlanEraseOptions } from './types/erase.ts'
import type {
  ForgetOptions,
  ForgetPlan,
  ForgetResult,
  PlanForgetOptions,
  PlanPruneOptions,
  PruneOptions,
  PrunePlan,
  PruneResult,
} from './types/prune.ts'
import type { PlanRepairOptions, RepairOptions, RepairPlan, RepairResult } from './types/repair.ts'
import type { PlanRestoreOptions, RestoreOptions, RestorePlan, RestoreResult } from './types/restore.ts'
import type { AnnotateOptions } from './types/retention.ts'
import type { ActiveRun, CallOptions, Listing } from './types/run.ts'
import type { Snapshot, SnapshotFilter, SnapshotRef } from './types/snapshot.ts'
import type { Stats, StatsOptions } from './types/stats.ts'
import type { ForgottenSnapshot, UndoForgetResult } from './types/undo.ts'
import type { VerifyOptions, VerifyResult } from './types/verify.ts'
import type { ExportResult, ExportZipOptions, ImportResult, ImportZipOptions } from './types/zip.ts'
import { type Verbs, verbs } from './verbs.ts'

/**
 * A repository, opened. Several engines, in several processes, may have the same one open and back up into it at once.
 * Every verb takes one object of options; an unknown or bad one is INVALID_OPTIONS. After `close()` every verb rejects
 * with ENGINE_CLOSED. A promise that resolves means: done, durable, and checked to the level asked for.
 */
export class BackupEngine implements AsyncDisposable {
  readonly #context: EngineContext
  readonly #calls: Calls
  /** What runs did: reports, newest first. */
  readonly history: History
  /** Who may open the repository: passphrases, raw keys, keys that a service keeps. */
  readonly keys: Keys

  private constructor(context: EngineContext, bodies: Verbs) {
    this.#context = context
    this.#calls = makeCalls(bodies)
    keepContext(this, context)
    this.history = makeHistory(context)
    this.keys = makeKeys(context)
  }

  /**
   * Opens a repository, or creates it in an empty place. Starts no timer and no worker until a verb needs one.
   * @throws BackupError KEY_WRONG, REPOSITORY_NOT_FOUND, REPOSITORY_FOREIGN, FORMAT_UNSUPPORTED, CONFIG_TAMPERED, TARGET_*;
   * ROLLED_BACK where it shows less than `pin` says
   */
  static async open(options: EngineOptions): Promise<BackupEngine> {
    const parsed = parseEngineOptions(options)
    const basics = makeBasics(parsed)
    return new BackupEngine(makeContext(parsed, basics, await verbs.open(parsed, basics)), verbs)
  }

  get repositoryId(): string {
    return this.#context.repository.id
  }

  /** Backs up all chosen sources, as of one moment, into one snapshot. Resolves when it is durable and verified. */
  async backup(options?: BackupOptions): Promise<BackupResult> {
    return await this.#calls.backup(this.#open(), options)
  }

  /** Proves the repository, or some snapshots, sound. Damage is a finding (`sound: false`), not a rejection. */
  async verify(options?: VerifyOptions): Promise<VerifyResult> {
    return await this.#calls.verify(this.#open(), options)
  }

  /**
   * Restores a snapshot beside what is live, looks at it, and takes it away again. What went wrong is a finding (`sound:
   * false`), not a rejection. @throws BackupError SNAPSHOT_NOT_FOUND, ENTRY_NOT_FOUND for a source that is not in it
   */
  async drill(options?: DrillOptions): Promise<DrillResult> {
    return await this.#calls.drill(this.#open(), options)
  }

  /**
   * Looks for what would make backups fail or be lost: target, clock, space, threads, limits, keys, sources. What is wrong is a
   * finding with its fix, errors first, never a rejection; what it puts to try the target it takes away again.
   */
  async doctor(options?: DoctorOptions): Promise<Finding[]> {
    return await this.#calls.doctor(this.#open(), options)
  }

  /** Sizes, ratios, growth and success, counted from snapshots, reports and the index. Reads no content. */
  async stats(options?: StatsOptions): Promise<Stats> {
    return await this.#calls.stats(this.#open(), options)
  }

  /** Snapshots that fit, newest first. */
  snapshots(filter?: SnapshotFilter): Listing<Snapshot> {
    return this.#calls.snapshots(this.#context, filter)
  }

  /** @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS */
  async snapshot(ref: SnapshotRef): Promise<Snapshot> {
    return await this.#calls.snapshot(this.#open(), ref)
  }

  /** What a snapshot holds: one folder of it, or all below. In path order. */
  entries(options: EntriesOptions): Listing<Entry> {
    return deferListing(() => this.#calls.entries(this.#open(), options))
  }

  /** One file of a snapshot, or a range of it, as a stream. @throws BackupError ENTRY_NOT_FOUND */
  async read(options: ReadOptions): Promise<Readable> {
    return await this.#calls.read(this.#open(), options)
  }

  /** What is different between two snapshots, or a snapshot and what the sources hold now. */
  async diff(options: DiffOptions): Promise<Diff> {
    return await this.#calls.diff(this.#open(), options)
  }

  /** Says what a restore would do. Touches nothing. */
  async planRestore(options: PlanRestoreOptions): Promise<RestorePlan> {
    return await this.#calls.planRestore(this.#open(), options)
  }

  /**
   * Does what a plan says. @throws BackupError PLAN_STALE when what it would touch has changed since, PLAN_FOREIGN for
   * another repository's plan, CONFIRMATION_REQUIRED when it destroys something and `confirm` is not its digest
   */
  async restore(plan: RestorePlan, options?: RestoreOptions): Promise<RestoreResult> {
    return await this.#calls.restore(this.#open(), plan, options)
  }

  /**
   * Changes what may change about a snapshot: its name, description, tags and holds. Several who do so at once all succeed.
   * @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS
   */
  async annotate(snapshot: SnapshotRef, change: AnnotateOptions): Promise<Snapshot> {
    return await this.#calls.annotate(this.#open(), snapshot, change)
  }

  /**
   * Says which snapshots would be forgotten, and why: by a retention policy (the engine's, if none is given), or by name.
   * Touches nothing. @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS; HELD where one that is named has a hold
   */
  async planForget(options?: PlanForgetOptions): Promise<ForgetPlan> {
    return await this.#calls.planForget(this.#open(), options)
  }

  /**
   * Takes snapshots out of the list. Their space is freed by a prune, once their time is over. @throws BackupError
   * PLAN_STALE when a snapshot that the plan keeps is gone, or tags, holds or proofs have changed; PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  async forget(plan: ForgetPlan, options?: ForgetOptions): Promise<ForgetResult> {
    return await this.#calls.forget(this.#open(), plan, options)
  }

  /** Forgotten snapshots that no prune has freed yet: `undoForget` brings them back. The last forgotten comes first. */
  forgotten(options?: { signal?: AbortSignal | undefined }): Listing<ForgottenSnapshot> {
    return deferListing(() => this.#calls.forgotten(this.#open(), options))
  }

  /**
   * Brings a forgotten snapshot back, with an id of its own and all else as it was. @throws BackupError SNAPSHOT_NOT_FOUND
   * where a prune has freed it, or it is not forgotten; SNAPSHOT_AMBIGUOUS, OBJECT_MISSING
   */
  async undoForget(snapshot: string, options?: CallOptions): Promise<UndoForgetResult> {
    return await this.#calls.undoForget(this.#open(), snapshot, options)
  }

  /**
   * Says what erasing some paths from history would take, from which snapshots, and which other paths hold the same content.
   * Touches nothing. @throws BackupError HELD, UNSUPPORTED for parts of a database
   */
  async planErase(options: PlanEraseOptions): Promise<ErasePlan> {
    return await this.#calls.planErase(this.#open(), options)
  }

  /**
   * Gives each snapshot a successor without those entries, and ends it for good. All bytes are gone after the next prune with
   * `result.prune`. @throws BackupError PLAN_STALE when holds or tags have changed, PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  async erase(plan: ErasePlan, options?: EraseOptions): Promise<EraseResult> {
    return await this.#calls.erase(this.#open(), plan, options)
  }

  /** Says what a prune would free. Touches nothing. @throws BackupError OBJECT_MISSING, OBJECT_CORRUPT where damage forbids it */
  async planPrune(options?: PlanPruneOptions): Promise<PrunePlan> {
    return await this.#calls.planPrune(this.#open(), options)
  }

  /**
   * Deletes what no snapshot needs. Backups may go on and begin meanwhile; those under way are waited for. One that was
   * killed is taken up by the next. @throws BackupError PLAN_STALE after another prune, or when a snapshot that the plan
   * keeps is gone, PLAN_FOREIGN, CONFIRMATION_REQUIRED as `restore`
   */
  async prune(plan: PrunePlan, options?: PruneOptions): Promise<PruneResult> {
    return await this.#calls.prune(this.#open(), plan, options)
  }

  /** Says what is wrong with the repository, what can be saved, and what the rest costs. Touches nothing. */
  async planRepair(options?: PlanRepairOptions): Promise<RepairPlan> {
    return await this.#calls.planRepair(this.#open(), options)
  }

  /** Saves what can be saved. Nothing that can be read goes without `drop`. @throws BackupError as `prune` */
  async repair(plan: RepairPlan, options?: RepairOptions): Promise<RepairResult> {
    return await this.#calls.repair(this.#open(), plan, options)
  }

  /**
   * A snapshot, or a part of it, as a ZIP: to a file, a stream or a target. Nothing is left where it fails.
   * @throws BackupError SNAPSHOT_NOT_FOUND, ENTRY_NOT_FOUND for a source that is not in it, RESTORE_CONFLICT where something is there
   */
  async exportZip(options: ExportZipOptions): Promise<ExportResult> {
    return await this.#calls.exportZip(this.#open(), options)
  }

  /**
   * A ZIP as a snapshot of kind 'import': one that `exportZip` has made comes back exactly, others as far as a ZIP can say.
   * @throws BackupError ZIP_CORRUPT, ZIP_UNSAFE_PATH, ZIP_ENCRYPTED, ZIP_BOMB, UNSUPPORTED for other compressions than deflate
   */
  async importZip(options: ImportZipOptions): Promise<ImportResult> {
    return await this.#calls.importZip(this.#open(), options)
  }

  /**
   * What the repository shows now, as small JSON without secrets: for `open({ pin })`, which notices when it shows less. Keep it
   * where whoever can write to the target cannot. @throws BackupError ROLLED_BACK where it shows less than at the last pin
   */
  async pin(options?: PinOptions): Promise<Pin> {
    return await takePin(this.#open(), options)
  }

  /** What runs now in this engine. */
  runs(): readonly ActiveRun[] {
    return this.#context.runs.list()
  }

  /**
   * One run from now to its end: current progress first, the last item has its report. Ends at once for a run that is
   * over. Of other processes' runs only the report is known. On abort it just ends. @throws BackupError RUN_NOT_FOUND
   */
  follow(runId: string, options: { signal?: AbortSignal | undefined } = {}): AsyncIterable<RunUpdate> {
    return followRun(this.#context, runId, options.signal)
  }

  /** Calls `listener` at every such event. What it throws is logged and goes no further. */
  on<K extends EventName>(event: K, listener: Listener<K>): this {
    this.#context.emitter.on(event, listener)
    return this
  }

  once<K extends EventName>(event: K, listener: Listener<K>): this {
    this.#context.emitter.once(event, listener)
    return this
  }

  off<K extends EventName>(event: K, listener: Listener<K>): this {
    this.#context.emitter.off(event, listener)
    return this
  }

  /** Lets runs finish for up to `graceMs` milliseconds (default 0), aborts the rest, ends workers, closes the target. */
  async close(options?: { graceMs?: number }): Promise<void> {
    await this.#context.lifetime.close(parseCloseOptions(options).graceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(): EngineContext {
    this.#context.lifetime.assertOpen()
    return this.#context
  }
}
