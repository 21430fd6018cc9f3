/** Whether a target has what it said that it took. */
import { BackupError } from '../errors.ts'
import type { CallSignal, Target } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
import { snapshotKey } from './keys-layout.ts'
import { runFenced } from './runs.ts'

export interface StoredObject {
  readonly key: string
  /** Absent: any size. */
  readonly bytes?: number
}

export interface ConfirmOptions extends CallSignal {
  /** Of all these objects. */
  prefix: string
  /** How many others there are below the prefix, about. */
  others: number
  /** The run that stored them. */
  runId: string
}

/** What far stores give in one answer to a list. */
const LISTED_AT_ONCE = 1000

/**
 * In as few requests as it takes: each by its key, or all by a listing where that is shorter.
 * @throws BackupError TARGET_PROTOCOL; RUN_FENCED where something lacks because a prune has given the run up, and deleted it
 */
export async function confirmStored(
  target: Target,
  objects: readonly StoredObject[],
  options: ConfirmOptions,
): Promise<void> {
  try {
    await confirmAll(target, objects, options)
  } catch (error) {
    const lacks = BackupError.is(error) && error.code === 'TARGET_PROTOCOL' && 'expected' in error.details
    if (lacks && (await isFenced(target, options))) throw runFenced(options.runId)
    throw error
  }
}

/** Before its commit only a tombstone can be there. */
async function isFenced(target: Target, { runId, signal }: ConfirmOptions): Promise<boolean> {
  return (await target.stat(snapshotKey(runId), { signal })) !== undefined
}

async function confirmAll(
  target: Target,
  objects: readonly StoredObject[],
  { prefix, others, signal }: ConfirmOptions,
): Promise<void> {
  const pages = Math.ceil((others + objects.length) / LISTED_AT_ONCE)
  // A local folder has to look at each file for a listing as well.
  if (target.traits.remote && pages < objects.length) return await confirmListed(target, objects, prefix, signal)
  const check = async (object: StoredObject): Promise<void> => {
    requireStored(object, (await target.stat(object.key, { signal }))?.size)
  }
  for await (const _ of mapBounded(objects, target.traits.maxConcurrency, check, signal));
}

async function confirmListed(
  target: Target,
  objects: readonly StoredObject[],
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const wanted = new Map(objects.map((object) => [object.key, object]))
  for await (const { key, size } of target.list(prefix, { signal })) {
    const object = wanted.get(key)
    if (object) requireStored(object, size)
    wanted.delete(key)
  }
  for (const object of wanted.values()) requireStored(object, undefined)
}

function requireStored({ key, bytes }: StoredObject, found: number | undefined): void {
  if (found !== undefined && (bytes === undefined || bytes === found)) return
  throw new BackupError('TARGET_PROTOCOL', `The target said that it has ${key}, and it has not, or not all of it.`, {
    origin: 'target',
    details: { key, found: found ?? null, expected: bytes ?? null },
    hint: 'Nothing was committed. This storage does not keep what it acknowledges; do not trust it with a backup.',
  })
}
