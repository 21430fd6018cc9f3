/** Everything that `holdfast` exports. Optional adapters have entries of their own. */
export { copySnapshots } from './engine/copy/copy-snapshots.ts'
export { BackupEngine } from './engine/engine.ts'
export type { History, HistoryFilter } from './engine/run/history.ts'
export type * from './engine/types/index.ts'
export {
  BackupError,
  type BackupErrorOptions,
  ERROR_CODES,
  type ErrorCode,
  type ErrorOrigin,
  type Json,
} from './errors.ts'
export type {
  EngineEvents,
  Finding,
  Progress,
  Report,
  ReportedVerb,
  RunEvent,
  RunStatus,
  RunUpdate,
  Verb,
  Warning,
  WarningCode,
} from './events.ts'
export {
  type KeyProviderOptions,
  keyProvider,
  type ProviderCall,
  passphrase,
  rawKey,
} from './repository/key-slots-key.ts'
export { type CommandOptions, command } from './sources/command/command.ts'
export { type FilesystemOptions, filesystem } from './sources/filesystem/filesystem.ts'
export { type FolderOptions, folder } from './sources/filesystem/folder.ts'
export {
  defineSink,
  type Sink,
  type SinkChange,
  type SinkContext,
  type SinkEntry,
  type SinkPlan,
  type SinkReader,
  type SinkSession,
} from './sources/sink.ts'
export {
  type CheckContext,
  defineSource,
  type EntryContent,
  type EntryFacts,
  type EntryType,
  type Source,
  type SourceContext,
  type SourceDoctorContext,
  type SourceEntry,
  type SourceSession,
  type StreamProof,
} from './sources/source.ts'
export { checkKey, checkPrefix, checkRange } from './targets/checks.ts'
export { type LocalTargetOptions, localTarget } from './targets/local/local-target.ts'
export { type MemoryTargetOptions, memoryTarget } from './targets/memory.ts'
export { type ProbeCheck, type ProbeReport, probe } from './targets/probe.ts'
export {
  type CallSignal,
  defineTarget,
  type GetOptions,
  type GetPieces,
  type ObjectInfo,
  type PutOptions,
  type Target,
  type TargetDoctorContext,
  type TargetTraits,
  wrapTarget,
} from './targets/target.ts'
export {
  type HealOptions,
  type HealProgress,
  type HealResult,
  type MirroredOptions,
  type MirroredTarget,
  type MirrorFallOver,
  type MirrorLag,
  mirrored,
} from './targets/wrappers/mirrored.ts'
export { prefixed } from './targets/wrappers/prefixed.ts'
export { readOnly } from './targets/wrappers/read-only.ts'
export { type RetryingOptions, type RetryNotice, retrying } from './targets/wrappers/retrying.ts'
export { type ThrottledOptions, throttled } from './targets/wrappers/throttled.ts'
export { aes256gcm } from './transforms/aes256gcm.ts'
export { type GzipOptions, gzip } from './transforms/gzip.ts'
export { defineTransform, type Transform, type TransformContext } from './transforms/transform.ts'
export { type ZstdOptions, zstd } from './transforms/zstd.ts'
export { abortError, throwIfAborted } from './util/abort.ts'
export { type Clock, systemClock } from './util/clock.ts'
export { type WorkerPoolOptions, workerPool } from './workers/threads/pool.ts'
