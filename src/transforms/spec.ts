import type { Json } from '../errors.ts'
import { aes256gcm } from './aes256gcm.ts'
import { type BuiltinId, builtinOf } from './builtin.ts'
import { checkTransform, incompatible } from './chain.ts'
import { type GzipOptions, gzip } from './gzip.ts'
import type { Transform } from './transform.ts'
import { type ZstdOptions, zstd } from './zstd.ts'

interface SpecBase {
  readonly id: string
  readonly kind: Transform['kind']
  readonly options: Json
}

/** Plain data from which a worker makes the same transform. */
export type TransformSpec =
  | (SpecBase & { readonly builtin: BuiltinId })
  | (SpecBase & { readonly url: string; readonly export: string })

/** False: this transform names no module, so whatever uses it runs on the main thread. */
export function runsInWorker(transform: Transform): boolean {
  return builtinOf(transform) !== undefined || transform.worker !== undefined
}

/** @throws BackupError PLUGIN_INCOMPATIBLE: neither built in nor with a module to load it from (see `runsInWorker`) */
export function describeTransform(transform: Transform): TransformSpec {
  const { id, kind, worker } = transform
  const builtin = builtinOf(transform)
  if (builtin !== undefined) return { id, kind, builtin: builtin.id, options: builtin.options }
  if (worker === undefined) throw incompatible(id, 'it names no module that a worker could load')
  return { id, kind, url: worker.url.href, export: worker.export, options: worker.options ?? null }
}

/** @throws BackupError PLUGIN_INCOMPATIBLE: the module cannot be loaded, lacks the export, or makes something else */
export async function loadTransform(spec: TransformSpec): Promise<Transform> {
  if ('builtin' in spec) return makeBuiltin(spec.builtin, spec.options)
  const make = (await importModule(spec.id, spec.url))[spec.export]
  if (typeof make !== 'function') throw incompatible(spec.id, `${spec.url} has no function '${spec.export}'`)
  const transform: Transform = callExport(spec, make as (options: Json) => unknown)
  checkTransform(transform)
  if (transform.id === spec.id && transform.kind === spec.kind) return transform
  throw incompatible(spec.id, `its module makes '${transform.id}' (${transform.kind}) instead`)
}

function makeBuiltin(id: BuiltinId, options: Json): Transform {
  if (id === 'zstd') return zstd(options as ZstdOptions)
  if (id === 'gzip') return gzip(options as GzipOptions)
  return aes256gcm()
}

async function importModule(id: string, url: string): Promise<Record<string, unknown>> {
  try {
    return (await import(/* webpackIgnore: true */ url)) as Record<string, unknown>
  } catch (cause) {
    throw incompatible(id, `${url} cannot be loaded`, cause)
  }
}

function callExport(spec: TransformSpec & { export: string }, make: (options: Json) => unknown): Transform {
  try {
    const made = make(spec.options)
    if (typeof made === 'object' && made !== null) return made as Transform
  } catch (cause) {
    throw incompatible(spec.id, `its export '${spec.export}' failed`, cause)
  }
  throw incompatible(spec.id, `its export '${spec.export}' gives no transform`)
}
