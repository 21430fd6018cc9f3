/** The public types of the engine in one place; each lives in the file of its verb. */
import type { ReportedVerb } from '../events.ts'
import type { BackupResult } from './types-backup.ts'
import type { CopyResult } from './types-copy.ts'
import type { DrillResult } from './types-drill.ts'
import type { EraseResult } from './types-erase.ts'
import type { KeysResult } from './types-keys.ts'
import type { ForgetResult, PruneResult } from './types-prune.ts'
import type { RepairResult } from './types-repair.ts'
import type { RestoreResult } from './types-restore.ts'
import type { UndoForgetResult } from './types-undo.ts'
import type { VerifyResult } from './types-verify.ts'
import type { ExportResult, ImportResult } from './types-zip.ts'

export type * from './types-backup.ts'
export type * from './types-browse.ts'
export type * from './types-copy.ts'
export type * from './types-doctor.ts'
export type * from './types-drill.ts'
export type * from './types-engine.ts'
export type * from './types-erase.ts'
export type * from './types-keys.ts'
export type * from './types-prune.ts'
export type * from './types-repair.ts'
export type * from './types-restore.ts'
export type * from './types-retention.ts'
export type * from './types-run.ts'
export type * from './types-snapshot.ts'
export type * from './types-stats.ts'
export type * from './types-undo.ts'
export type * from './types-verify.ts'
export type * from './types-zip.ts'

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
