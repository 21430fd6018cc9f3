import type { Json } from '../errors.ts'
import { stampVersion } from '../util/plugin.ts'

/** For kind 'encrypt' only: fresh for every segment, derived from the engine's key. A transform never sees that key. */
export interface TransformContext {
  readonly key?: Uint8Array
  readonly nonce?: Uint8Array
  readonly aad?: Uint8Array
}

/**
 * One reversible step that a segment (about 1 MiB of chunks) goes through before it is stored. Pure and synchronous:
 * it runs in a worker when `worker` names its module, else on the main thread.
 */
export interface Transform {
  readonly apiVersion: 1
  /** Stored beside every segment, 1 to 32 characters of a-z, 0-9, '-': never reuse one for another encoding. */
  readonly id: string
  readonly kind: 'compress' | 'encrypt' | 'other'
  encode(segment: Uint8Array, context: TransformContext): Uint8Array
  /** Throws rather than give more than `maxBytes`. */
  decode(segment: Uint8Array, context: TransformContext & { maxBytes: number }): Uint8Array
  /** Module with a named export that makes this transform from plain `options`. Absent: runs on the main thread. */
  readonly worker?: { readonly url: URL; readonly export: string; readonly options?: Json }
}

/**
 * Adds `apiVersion` to a transform of your own: an object or an instance of a class.
 * @throws BackupError PLUGIN_INCOMPATIBLE: it says that it is made for another version
 */
export function defineTransform(transform: Omit<Transform, 'apiVersion'>): Transform {
  const { id, kind, worker } = transform
  return {
    ...transform,
    apiVersion: stampVersion(transform),
    id,
    kind,
    encode: (segment, context) => transform.encode(segment, context),
    decode: (segment, context) => transform.decode(segment, context),
    ...(worker && { worker }),
  }
}
