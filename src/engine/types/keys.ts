import type { Finding } from '../../events.ts'
import type { Key } from './engine.ts'
import type { PruneResult } from './prune.ts'
import type { CallOptions, RunResult } from './run.ts'

/** One of the keys that open a repository. When it was used last nobody can say: opening writes nothing. */
export interface KeySlot {
  /** 32 hex digits. */
  id: string
  kind: 'passphrase' | 'raw' | 'provider'
  label: string
  createdAt: Date
  /** Of kind 'provider': its `id`. */
  provider?: string
  /** This engine was opened with it. */
  current: boolean
}

export interface AddKeyOptions extends CallOptions {
  /** Whose key it is, or where it is kept: 1 to 256 characters. Anybody who can read the target can read it. */
  label: string
}

export interface RotateOptions extends CallOptions {
  /**
   * Seals what was stored before anew, in a prune that follows (with its default options; its own run and report). Default
   * false: old data stays under the old keys. A prune that is interrupted is taken up by `planPrune({ rekeyOldData: true })`.
   */
  rekeyOldData?: boolean
}

/** What `keys:complete` carries. */
export interface KeysResult extends RunResult {
  action: 'add' | 'change' | 'remove' | 'rotate' | 'recovery-sheet'
  /** Id of the slot that came, or went. */
  slot?: string
  /** Number of the epoch that new data is sealed under: 1, and one more with each rotation. */
  generation: number
  /** All that open the repository now, oldest first. */
  slots: KeySlot[]
}

export interface RotateResult extends KeysResult {
  /** Of the prune, where `rekeyOldData` was set. 'pending': backups were under way; prune again with a new plan. */
  rekeyed?: PruneResult
}

/** Who may open the repository. An unencrypted one has no keys: `list` is empty, and changes are UNSUPPORTED. */
export interface Keys {
  /** Those that can be read, oldest first; `verify` names the damaged ones. */
  list(options?: { signal?: AbortSignal | undefined }): Promise<KeySlot[]>
  /**
   * One more key. It is stored, read back and opened before it counts.
   * @throws BackupError LIMIT_EXCEEDED above 64, KEY_PROVIDER_FAILED
   */
  add(key: Key, options: AddKeyOptions): Promise<KeySlot>
  /**
   * Another secret in place of a key's; its label stays. The new one counts and the old one no longer, in one step.
   * @throws BackupError KEY_NOT_FOUND, KEY_PROVIDER_FAILED
   */
  change(slotId: string, key: Key, options?: CallOptions): Promise<KeySlot>
  /**
   * The key opens the repository no longer. Whoever has had it may have kept what was in it: `rotate` after this, so that
   * new data is not for them. @throws BackupError KEY_NOT_FOUND; KEY_LAST where no other sound one would be left
   */
  remove(slotId: string, options?: CallOptions): Promise<void>
  /** New keys for new data, which only the slots of now can get. Nobody has to give a passphrase. */
  rotate(options?: RotateOptions): Promise<RotateResult>
  /** What is wrong with the keys, and what is worth knowing. Damage is a finding, not a rejection. */
  verify(options?: { signal?: AbortSignal | undefined }): Promise<Finding[]>
  /**
   * A text to be printed and locked away, with a fresh key of its own, which `rawKey()` reads. It is shown this once, and
   * listed with a label that says so.
   */
  recoverySheet(options?: CallOptions): Promise<string>
}
