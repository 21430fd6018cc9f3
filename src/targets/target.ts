import type { Finding } from '../events.ts'
import { API_VERSION, assertCompatible, stampVersion } from '../util/plugin.ts'

/**
 * Where objects are kept. Promises an adapter gives:
 *  1. `put` is atomic: a reader sees the whole old or the whole new object; durable and listed once it resolves.
 *  2. `put` with `ifAbsent` resolves false, and changes nothing, if the key exists. Of 16 at once exactly one gets true.
 *  3. `get` never gives fewer bytes than asked; a range past the end is TARGET_PROTOCOL, a missing key TARGET_OBJECT_NOT_FOUND.
 *  4. `list` yields every key below the prefix that existed throughout, each once, in any order. A prefix is the
 *     beginning of a string: `a` is also the prefix of `ab` and `a/b`.
 *  5. `delete` of missing keys is fine, and nothing but the given keys goes.
 *  6. After abort no new mutation begins; the promise rejects with ABORTED (a mutation that was already under way may
 *     still have happened).
 *  7. No retries inside: report `retryable` and let the `retrying` wrapper decide.
 *  8. After `close` nothing of it keeps the process alive, and no file stays open.
 *  9. Keys are what `checkKey` accepts; anything else is INVALID_OPTIONS. No key is a folder of another: where `a`
 *     exists, `a/b` need not be possible.
 *
 * `targetConformance` of `holdfast/testing` checks every one of them.
 */
export interface Target {
  readonly apiVersion: 1
  readonly name: string
  readonly traits: TargetTraits
  /**
   * Bodies own their ArrayBuffer from offset 0 (never shared, never a slice of a pool). They must not be changed or kept.
   * Resolves true, except for an `ifAbsent` that found the key taken.
   */
  put(key: string, body: Uint8Array<ArrayBuffer>, options?: PutOptions): Promise<boolean>
  /** `range` is half open, in bytes. The result owns its ArrayBuffer, so it can be transferred to a worker. */
  get(key: string, options?: GetOptions): Promise<Uint8Array<ArrayBuffer>>
  stat(key: string, options?: CallSignal): Promise<ObjectInfo | undefined>
  list(prefix: string, options?: CallSignal): AsyncIterable<ObjectInfo>
  delete(keys: readonly string[], options?: CallSignal): Promise<void>
  /** Free and used bytes of what the objects lie on, where it can be known. */
  space?(): Promise<{ freeBytes?: number; usedBytes?: number }>
  /** What endangers a repository here and shows in no call, each with its fix; for `engine.doctor()`. Changes nothing. */
  doctor?(context: TargetDoctorContext): Promise<Finding[]>
  /**
   * The absolute folder of this machine that holds the objects, `a/b` as the file `a/b`. Backups leave out **all** of it,
   * so that a repository inside a source is not backed up into itself: nothing else may lie there.
   */
  readonly localPath?: string
  /** Absolute single files that it writes to, such as a database and its journals. Backups leave out exactly these. */
  readonly localFiles?: readonly string[]
  close(): Promise<void>
}
export interface TargetDoctorContext {
  readonly signal: AbortSignal
  /** Beginning of the keys that count, where it is a part of this target: `prefixed` adds to it. Default '': all. */
  readonly prefix?: string
}
export interface CallSignal {
  signal?: AbortSignal | undefined
}
export interface PutOptions extends CallSignal {
  /** Create only: resolves false, and changes nothing, if the key exists. */
  ifAbsent?: boolean
  /**
   * SHA-256 of the body in lower-case hex, where whoever made it has computed that already. A target that would compute it
   * takes this one, and must not keep a body that has another; others ignore it.
   */
  sha256?: string | undefined
}
export interface GetOptions extends CallSignal {
  range?: { start: number; end: number }
  /** A hint, which a target may pass over: see `GetPieces`. */
  pieces?: GetPieces | undefined
}
/**
 * Parts of the range that can be used while the rest is still coming. A target that heeds it calls `take` with each of them,
 * in order, in a buffer of its own, as soon as its last byte is there, and resolves with no bytes at all; what lies between
 * them is left out. One that does not resolves with the whole range. After a failure of `get` those given so far are good,
 * and a repetition may give them again. `take` does not throw.
 */
export interface GetPieces {
  /** From the start of the range on; in order, not empty, none inside another. */
  readonly places: readonly { readonly start: number; readonly end: number }[]
  take(piece: number, bytes: Uint8Array<ArrayBuffer>): void
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

/**
 * Adds `apiVersion` to a target of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export function defineTarget(target: Omit<Target, 'apiVersion'>): Target {
  stampVersion(target)
  return delegate(target, {})
}

/**
 * A target that does what `inner` does, but for the given methods. The optional members (`space`, `doctor`,
 * `localPath`, `localFiles`) are there exactly if `inner` has them, and `traits` stays live.
 * @throws BackupError PLUGIN_INCOMPATIBLE: `inner` is made for another version
 */
export function wrapTarget<O extends Partial<Omit<Target, 'apiVersion'>>>(inner: Target, overrides: O): Target & O {
  assertCompatible(inner)
  return delegate(inner, overrides)
}

function delegate<O extends object>(inner: Omit<Target, 'apiVersion'>, overrides: O): Target & O {
  const base: Target = {
    apiVersion: API_VERSION,
    get name() {
      return inner.name
    },
    get traits() {
      return inner.traits
    },
    put: (key, body, options) => inner.put(key, body, options),
    get: (key, options) => inner.get(key, options),
    stat: (key, options) => inner.stat(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    delete: (keys, options) => inner.delete(keys, options),
    close: () => inner.close(),
    ...(inner.space && { space: () => inner.space!() }),
    ...(inner.doctor && { doctor: (context) => inner.doctor!(context) }),
    ...(inner.localPath !== undefined && { localPath: inner.localPath }),
    ...(inner.localFiles !== undefined && { localFiles: inner.localFiles }),
  }
  return Object.defineProperties(base, Object.getOwnPropertyDescriptors(overrides)) as Target & O
}
