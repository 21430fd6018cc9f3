/** Creating `config/<n>`: the commit of a new repository, and of every change of its keys. */
import { BackupError } from '../../errors.ts'
import type { Target } from '../../targets/target.ts'
import { sameBytes } from '../records.ts'

/**
 * True if these bytes are what lies there, false if somebody else's do. Where it cannot be told (the reply was lost and
 * reading fails too) the error is thrown.
 */
export async function commitConfig(
  target: Target,
  key: string,
  bytes: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const created = await target.put(key, bytes, { ifAbsent: true, signal })
    if (created && target.traits.createOnly) return true
  } catch (error) {
    if (!BackupError.is(error) || !error.retryable) throw error
    return sameBytes(await readOr(target, key, error), bytes)
  }
  return sameBytes(await target.get(key, { signal }), bytes)
}

async function readOr(target: Target, key: string, original: BackupError): Promise<Uint8Array> {
  return target.get(key).catch(() => {
    throw original
  })
}
