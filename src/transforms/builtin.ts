import type { Json } from '../errors.ts'
import type { Transform } from './transform.ts'

export type BuiltinId = 'zstd' | 'gzip' | 'aes-256-gcm'
export const BUILTIN_IDS: ReadonlySet<string> = new Set<BuiltinId>(['zstd', 'gzip', 'aes-256-gcm'])

interface Builtin {
  readonly id: BuiltinId
  readonly options: Json
}

const builtins = new WeakMap<Transform, Builtin>()

/** Notes how a worker can make this transform again: it has no module to name. */
export function declareBuiltin(transform: Transform, id: BuiltinId, options: Json): Transform {
  builtins.set(transform, { id, options })
  return transform
}

/** What `declareBuiltin` noted; undefined for a transform from elsewhere. */
export function builtinOf(transform: Transform): Builtin | undefined {
  return builtins.get(transform)
}
