/**
 * Where objects are kept. Promises an adapter gives:
 *  1. `put` is atomic: a reader sees the whole old or the whole new object; durable and listed once it resolves.
 *  2. `put` with `ifAbsent` resolves false, and changes nothing, if the key exists. Of 16 at once exactly one gets true.
 *  3. `get` never gives fewer bytes than asked; a range past the end is TARGET_PROTOCOL, a missing key TARGET_OBJECT_NOT_FOUND.
 *  4. `list` yields every key below the prefix that existed throughout, each once, in any order.
 *  5. `delete` of missing keys is fine.
 *  6. After abort no new mutation begins; the promise rejects with ABORTED.
 *  7. No retries inside: report `retryable` and let the `retrying` wrapper decide.
 */
export interface Target {
  readonly apiVersion: 1
  readonly name: string
  readonly traits: TargetTraits
  /** Bodies own their ArrayBuffer from offset 0 (never shared, never a slice of a pool). They must not be changed or kept. */
  put(key: string, body: Uint8Array<ArrayBuffer>, options?: PutOptions): Promise<boolean>
  /** `range` is half open, in bytes. The result owns its ArrayBuffer, so it can be transferred to a worker. */
  get(key: string, options?: GetOptions): Promise<Uint8Array<ArrayBuffer>>
  stat(key: string, options?: CallSignal): Promise<ObjectInfo | undefined>
  list(prefix: string, options?: CallSignal): AsyncIterable<ObjectInfo>
  delete(keys: readonly string[], options?: CallSignal): Promise<void>
  /** Free and used bytes, where it can be known. */
  space?(): Promise<{ freeBytes?: number; usedBytes?: number }>
  /** A folder of this machine that this target writes to; so that a repository inside a source is left out of its backup. */
  readonly localPath?: string
  close(): Promise<void>
}
export interface CallSignal {
  signal?: AbortSignal | undefined
}
export interface PutOptions extends CallSignal {
  /** Create only: resolves false, and changes nothing, if the key exists. */
  ifAbsent?: boolean
}
export interface GetOptions extends CallSignal {
  range?: { start: number; end: number }
}
export interface TargetTraits {
  /** `put` with `ifAbsent` is atomic between processes. */
  createOnly: boolean
  /** Calls that may be under way at once. */
  maxConcurrency: number
  maxObjectBytes?: number
  checksums?: 'sha256' | 'crc32' | 'none'
  remote?: boolean
}
export interface ObjectInfo {
  key: string
  size: number
  modifiedAt?: Date
  /** Of the stored bytes, as the target keeps it, where `traits.checksums` says so: lower-case hex. */
  checksum?: string
}

/** Adds `apiVersion` to a target of your own. */
export function defineTarget(target: Omit<Target, 'apiVersion'>): Target {
  return Object.assign({}, target, { apiVersion: 1 as const })
}
