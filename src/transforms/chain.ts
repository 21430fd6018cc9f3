import { BackupError } from '../errors.ts'
import { assertCompatible } from '../util/plugin.ts'
import { BUILTIN_IDS, builtinOf } from './builtin.ts'
import type { Transform } from './transform.ts'

export const MAX_TRANSFORMS = 8
const ID_PATTERN = /^[a-z0-9-]{1,32}$/
const KINDS: ReadonlySet<unknown> = new Set(['compress', 'encrypt', 'other'])

/** Transforms in the order in which data goes through them: encrypted data no longer compresses. */
export interface TransformChain {
  readonly compress: readonly Transform[]
  readonly other: readonly Transform[]
  readonly encrypt: Transform | undefined
}

/**
 * Puts transforms in order: compress, other as given, encrypt last.
 * @throws BackupError INVALID_OPTIONS: one twice, two that encrypt, or too many; PLUGIN_INCOMPATIBLE: not a transform
 */
export function orderTransforms(transforms: readonly Transform[]): TransformChain {
  for (const transform of transforms) checkTransform(transform)
  const ids = transforms.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined) throw invalid(`transforms: '${twice}' is given twice`)
  if (transforms.length > MAX_TRANSFORMS)
    throw invalid(`transforms: at most ${MAX_TRANSFORMS}, not ${transforms.length}`)
  const [encrypt, second] = ofKind(transforms, 'encrypt')
  if (second !== undefined) throw invalid(`transforms: '${encrypt?.id}' and '${second.id}' both encrypt`)
  return { compress: ofKind(transforms, 'compress'), other: ofKind(transforms, 'other'), encrypt }
}

/** @throws BackupError PLUGIN_INCOMPATIBLE: not a transform of this API version, or it takes the id of a built-in one */
export function checkTransform(transform: Transform): void {
  assertCompatible(transform)
  const { id, kind, encode, decode } = transform
  if (typeof id !== 'string' || !ID_PATTERN.test(id)) throw incompatible(id, 'id must be 1 to 32 of a-z, 0-9 and -')
  if (!KINDS.has(kind)) throw incompatible(id, `kind is ${String(kind)}`)
  if (typeof encode !== 'function' || typeof decode !== 'function')
    throw incompatible(id, 'encode or decode is missing')
  if (BUILTIN_IDS.has(id) && builtinOf(transform) === undefined) throw incompatible(id, 'this id is taken')
}

/** The error for a transform that breaks its contract. */
export function incompatible(id: unknown, reason: string, cause?: unknown): BackupError {
  return new BackupError('PLUGIN_INCOMPATIBLE', `Transform '${String(id)}' cannot be used: ${reason}`, {
    origin: 'usage',
    details: { transform: String(id), reason },
    ...(cause === undefined ? {} : { cause }),
  })
}

function ofKind(transforms: readonly Transform[], kind: Transform['kind']): Transform[] {
  return transforms.filter((transform) => transform.kind === kind)
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_OPTIONS', message, { origin: 'usage', details: { option: 'transforms' } })
}
