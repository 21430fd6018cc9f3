/** Where the engine finds the body of each verb. The facade checks options and knows nothing else. */
import type { Readable } from 'node:stream'
import type { Finding } from '../events.ts'
import { annotate } from './annotate/annotate.ts'
import { backup } from './backup/run-backup.ts'
import { entries } from './browse/entries.ts'
import { read } from './browse/read.ts'
import { diff } from './diff/diff.ts'
import { doctor } from './doctor/run-doctor.ts'
import { drill } from './drill/run-drill.ts'
import type { EngineBasics } from './engine-context.ts'
import { planErase } from './erase/plan-erase.ts'
import { erase } from './erase/run-erase.ts'
import { planForget } from './forget/plan-forget.ts'
import { forget } from './forget/run-forget.ts'
import { openEngine } from './open/open-engine.ts'
import type { ParsedBackupOptions } from './options/backup.ts'
import type { ParsedDoctorOptions } from './options/doctor.ts'
import type { ParsedDrillOptions } from './options/drill.ts'
import type { ParsedPlanEraseOptions } from './options/erase.ts'
import type {
  ParsedForgetOptions,
  ParsedPlanForgetOptions,
  ParsedPlanPruneOptions,
  ParsedPruneOptions,
} from './options/prune.ts'
import type { ParsedPlanRepairOptions, ParsedRepairOptions } from './options/repair.ts'
import type { ParsedPlanRestoreOptions, ParsedRestoreOptions } from './options/restore.ts'
import type { ParsedStatsOptions } from './options/stats.ts'
import type { ParsedVerifyOptions } from './options/verify.ts'
import type { ParsedExportZipOptions, ParsedImportZipOptions } from './options/zip.ts'
import { planPrune } from './prune/plan-prune.ts'
import { prune } from './prune/run-prune.ts'
import { planRepair } from './repair/plan-repair.ts'
import { repair } from './repair/run-repair.ts'
import { planRestore } from './restore/plan-restore.ts'
import { restore } from './restore/run-restore.ts'
import { loadSnapshots } from './snapshots/load.ts'
import { stats } from './stats/stats.ts'
import type { BackupResult } from './types/backup.ts'
import type { Diff, DiffOptions, EntriesOptions, Entry, ReadOptions } from './types/browse.ts'
import type { EngineContext, EngineParts } from './types/context.ts'
import type { DrillResult } from './types/drill.ts'
import type { EngineOptions } from './types/engine.ts'
import type { EraseOptions, ErasePlan, EraseResult } from './types/erase.ts'
import type { ForgetPlan, ForgetResult, PrunePlan, PruneResult } from './types/prune.ts'
import type { RepairPlan, RepairResult } from './types/repair.ts'
import type { RestorePlan, RestoreResult } from './types/restore.ts'
import type { AnnotateOptions } from './types/retention.ts'
import type { CallOptions, Listing } from './types/run.ts'
import type { Snapshot, SnapshotRef } from './types/snapshot.ts'
import type { Stats } from './types/stats.ts'
import type { ForgottenSnapshot, UndoForgetResult } from './types/undo.ts'
import type { VerifyResult } from './types/verify.ts'
import type { ExportResult, ImportResult } from './types/zip.ts'
import { forgotten } from './undo/forgotten.ts'
import { undoForget } from './undo/undo-forget.ts'
import { verify } from './verify/run-verify.ts'
import { exportZip } from './zip/export-zip.ts'
import { importZip } from './zip/import-zip.ts'

/**
 * All options are checked, with defaults filled in. A verb that is a run calls `withRun` (or `withQuietRun`) before it
 * first waits, so that the run is there when the caller's next line follows it.
 */
export interface Verbs {
  /** Opens or creates the repository. Starts no worker and no timer. */
  open(options: EngineOptions, basics: EngineBasics): Promise<EngineParts>
  backup(engine: EngineContext, options: ParsedBackupOptions): Promise<BackupResult>
  verify(engine: EngineContext, options: ParsedVerifyOptions): Promise<VerifyResult>
  drill(engine: EngineContext, options: ParsedDrillOptions): Promise<DrillResult>
  doctor(engine: EngineContext, options: ParsedDoctorOptions): Promise<Finding[]>
  stats(engine: EngineContext, options: ParsedStatsOptions): Promise<Stats>
  diff(engine: EngineContext, options: DiffOptions): Promise<Diff>
  planRestore(engine: EngineContext, options: ParsedPlanRestoreOptions): Promise<RestorePlan>
  restore(engine: EngineContext, plan: RestorePlan, options: ParsedRestoreOptions): Promise<RestoreResult>
  planForget(engine: EngineContext, options: ParsedPlanForgetOptions): Promise<ForgetPlan>
  forget(engine: EngineContext, plan: ForgetPlan, options: ParsedForgetOptions): Promise<ForgetResult>
  forgotten(engine: EngineContext, signal: AbortSignal | undefined): Listing<ForgottenSnapshot>
  undoForget(engine: EngineContext, ref: string, options: CallOptions): Promise<UndoForgetResult>
  planErase(engine: EngineContext, options: ParsedPlanEraseOptions): Promise<ErasePlan>
  erase(engine: EngineContext, plan: ErasePlan, options: EraseOptions): Promise<EraseResult>
  planPrune(engine: EngineContext, options: ParsedPlanPruneOptions): Promise<PrunePlan>
  prune(engine: EngineContext, plan: PrunePlan, options: ParsedPruneOptions): Promise<PruneResult>
  planRepair(engine: EngineContext, options: ParsedPlanRepairOptions): Promise<RepairPlan>
  repair(engine: EngineContext, plan: RepairPlan, options: ParsedRepairOptions): Promise<RepairResult>
  annotate(engine: EngineContext, ref: SnapshotRef, options: AnnotateOptions): Promise<Snapshot>
  exportZip(engine: EngineContext, options: ParsedExportZipOptions): Promise<ExportResult>
  importZip(engine: EngineContext, options: ParsedImportZipOptions): Promise<ImportResult>
  read(engine: EngineContext, options: ReadOptions): Promise<Readable>
  entries(engine: EngineContext, options: EntriesOptions): Listing<Entry>
  /** Every snapshot, of every kind, in any order. */
  loadSnapshots(engine: EngineContext, signal: AbortSignal): Promise<readonly Snapshot[]>
}

export const verbs: Verbs = {
  open: openEngine,
  backup,
  verify,
  drill,
  doctor,
  stats,
  diff,
  planRestore,
  restore,
  planForget,
  forget,
  forgotten,
  undoForget,
  planErase,
  erase,
  planPrune,
  prune,
  planRepair,
  repair,
  annotate,
  exportZip,
  importZip,
  read,
  entries,
  loadSnapshots,
}
