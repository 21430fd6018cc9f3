/** A create that may be repeated: what a failed one did is found out, never guessed. */
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Target } from '../target.ts'
import { isSnapshot, mayCreateAgain } from './key-classes.ts'
import type { Repeat } from './repeat.ts'

/** Where the outcome of a failed put cannot be found out, the error of the put is thrown. */
export async function createOnce(
  target: Target,
  repeat: Repeat,
  key: string,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isOurs = async (): Promise<boolean | undefined> => {
    const there = await repeat({ operation: 'get', key, signal, run: () => read(target, key, signal) })
    return there === null ? undefined : Buffer.compare(there, body) === 0
  }
  return await repeat({
    operation: 'put',
    key,
    signal,
    async run(attempt) {
      if (await target.put(key, body, { ifAbsent: true, signal })) return true
      // A first "exists" is final. A later one may mean our own earlier attempt, which arrived after all.
      return attempt > 1 && ((await isOurs()) ?? false)
    },
    async settle(error) {
      const ours = await isOurs().catch(() => {
        throwIfAborted(signal)
        throw error
      })
      if (ours === undefined && !mayCreateAgain(key) && !didNothing(key, error)) throw error
      return ours
    },
  })
}

/**
 * Whether it certainly did not happen: a target that looks before it creates has failed to look, or the store has
 * answered that it refuses. Earlier attempts were alike, else there would be none after them. The commit is not repeated
 * after an answer: that is for those who know the rules of it.
 */
function didNothing(key: string, { code, details: { status, operation } }: BackupError): boolean {
  const isRefused = typeof status === 'number' && status >= 400 && status < 500
  return operation === 'stat' || (!isSnapshot(key) && (code === 'TARGET_THROTTLED' || isRefused))
}

/** Null where there is no such object. */
async function read(target: Target, key: string, signal: AbortSignal | undefined): Promise<Uint8Array | null> {
  try {
    return await target.get(key, { signal })
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return null
    throw error
  }
}
