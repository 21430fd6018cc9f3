/** What the facade's methods do: options are checked, with defaults filled in, and handed to the verb. */
import { parseBackupOptions } from './options/backup.ts'
import { parseDoctorOptions } from './options/doctor.ts'
import { parseDrillOptions } from './options/drill.ts'
import { parseEraseOptions, parseErasePlan, parsePlanEraseOptions } from './options/erase.ts'
import { parseDiffOptions, parseEntriesOptions, parseReadOptions, parseSnapshotRef } from './options/look.ts'
import {
  parseForgetOptions,
  parseForgetPlan,
  parsePlanForgetOptions,
  parsePlanPruneOptions,
  parsePruneOptions,
  parsePrunePlan,
} from './options/prune.ts'
import { parsePlanRepairOptions, parseRepairOptions, parseRepairPlan } from './options/repair.ts'
import { parsePlanRestoreOptions, parseRestoreOptions, parseRestorePlan } from './options/restore.ts'
import { parseAnnotateOptions } from './options/retention.ts'
import { parseStatsOptions } from './options/stats.ts'
import { parseForgottenOptions, parseForgottenRef, parseUndoForgetOptions } from './options/undo.ts'
import { parseVerifyOptions } from './options/verify.ts'
import { parseExportZipOptions, parseImportZipOptions } from './options/zip.ts'
import { snapshotsVerb, snapshotVerb } from './snapshots/look.ts'
import type { EngineContext } from './types/context.ts'
import type { SnapshotFilter, SnapshotRef } from './types/snapshot.ts'
import type { Verbs } from './verbs.ts'

/** A verb of one object of options. */
function of<O, P, R>(verb: (engine: EngineContext, parsed: P) => R, parse: (options: O, engine: EngineContext) => P) {
  return (engine: EngineContext, options: O): R => verb(engine, parse(options, engine))
}

/** A verb about something, a plan or a snapshot, that comes before its options. */
function about<S, T, O, P, R>(
  verb: (engine: EngineContext, subject: T, parsed: P) => R,
  parseSubject: (subject: S) => T,
  parse: (options: O, engine: EngineContext) => P,
) {
  return (engine: EngineContext, subject: S, options: O): R =>
    verb(engine, parseSubject(subject), parse(options, engine))
}

const looking = (verbs: Verbs) => ({
  snapshots: (engine: EngineContext, filter?: SnapshotFilter) => snapshotsVerb(engine, verbs.loadSnapshots, filter),
  snapshot: (engine: EngineContext, ref: SnapshotRef) => snapshotVerb(engine, verbs.loadSnapshots, ref),
  entries: of(verbs.entries, parseEntriesOptions),
  read: of(verbs.read, parseReadOptions),
  diff: of(verbs.diff, parseDiffOptions),
  doctor: of(verbs.doctor, parseDoctorOptions),
  stats: of(verbs.stats, parseStatsOptions),
})

const keeping = (verbs: Verbs) => ({
  backup: of(verbs.backup, parseBackupOptions),
  verify: of(verbs.verify, parseVerifyOptions),
  drill: of(verbs.drill, parseDrillOptions),
  planRestore: of(verbs.planRestore, parsePlanRestoreOptions),
  restore: about(verbs.restore, parseRestorePlan, parseRestoreOptions),
  planRepair: of(verbs.planRepair, parsePlanRepairOptions),
  repair: about(verbs.repair, parseRepairPlan, parseRepairOptions),
  exportZip: of(verbs.exportZip, parseExportZipOptions),
  importZip: of(verbs.importZip, parseImportZipOptions),
})

const ending = (verbs: Verbs) => ({
  annotate: about(verbs.annotate, parseSnapshotRef, parseAnnotateOptions),
  planForget: of(verbs.planForget, parsePlanForgetOptions),
  forget: about(verbs.forget, parseForgetPlan, parseForgetOptions),
  forgotten: of(
    verbs.forgotten,
    (options: Parameters<typeof parseForgottenOptions>[0]) => parseForgottenOptions(options).signal,
  ),
  undoForget: about(verbs.undoForget, parseForgottenRef, parseUndoForgetOptions),
  planErase: of(verbs.planErase, parsePlanEraseOptions),
  erase: about(verbs.erase, parseErasePlan, parseEraseOptions),
  planPrune: of(verbs.planPrune, parsePlanPruneOptions),
  prune: about(verbs.prune, parsePrunePlan, parsePruneOptions),
})

export type Calls = ReturnType<typeof makeCalls>

export function makeCalls(verbs: Verbs) {
  return { ...looking(verbs), ...keeping(verbs), ...ending(verbs) }
}
