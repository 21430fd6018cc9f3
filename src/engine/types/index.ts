/** The public types of the engine in one place; each lives in the file of its verb. */
import type { ReportedVerb } from '../../events.ts'
import type { BackupResult } from './backup.ts'
import type { CopyResult } from './copy.ts'
import type { DrillResult } from './drill.ts'
import type { EraseResult } from './erase.ts'
import type { KeysResult } from './keys.ts'
import type { ForgetResult, PruneResult } from './prune.ts'
import type { RepairResult } from './repair.ts'
import type { RestoreResult } from './restore.ts'
import type { UndoForgetResult } from './undo.ts'
import type { VerifyResult } from './verify.ts'
import type { ExportResult, ImportResult } from './zip.ts'

export type * from './backup.ts'
export type * from './browse.ts'
export type * from './copy.ts'
export type * from './doctor.ts'
export type * from './drill.ts'
export type * from './engine.ts'
export type * from './erase.ts'
export type * from './keys.ts'
export type * from './prune.ts'
export type * from './repair.ts'
export type * from './restore.ts'
export type * from './retention.ts'
export type * from './run.ts'
export type * from './snapshot.ts'
export type * from './stats.ts'
export type * from './undo.ts'
export type * from './verify.ts'
export type * from './zip.ts'

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
