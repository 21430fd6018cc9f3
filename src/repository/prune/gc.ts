/** `gc/<n>` and `gc/<n>.done`: how prunes take turns, and how a pack dies. */
import { BackupError } from '../../errors.ts'
import { type GcDone, gcCandidatesRecord, gcDoneRecord } from '../../model/gc.ts'
import type { CallSignal } from '../../targets/target.ts'
import { gcDoneKey, gcKey } from '../keys-layout.ts'
import { certainlyRefused, type Records, sameBytes } from '../records.ts'
import { cleanupSignal } from '../runs.ts'
import { again, listGc, readCandidates, readDead } from '../runs-absent.ts'

export interface GcState {
  /** Highest number in use; 0: none. */
  readonly n: number
  /** The run that owns `gc/<n>`, where that has no outcome. */
  readonly owner: string | undefined
  /** Every pack that is dead. */
  readonly dead: ReadonlySet<string>
}

/** @throws BackupError OBJECT_CORRUPT, OBJECT_MISSING: which packs are dead is never guessed */
export function readGc(records: Records, options: CallSignal): Promise<GcState> {
  return again(async () => {
    const { open, newestDone } = await listGc(records, options)
    const n = Math.max(newestDone, ...open)
    const dead = new Set(newestDone > 0 ? await readDead(records, newestDone, options) : [])
    const owner = n > newestDone ? (await readCandidates(records, n, options)).run : undefined
    return { n, owner, dead }
  })
}

interface Author extends CallSignal {
  n: number
  run: string
  at: Date
}

/** Names the candidates. False: another prune was faster, and this one has to stop. */
export function announceCandidates(
  records: Records,
  packs: readonly string[],
  { n, run, at, signal }: Author,
): Promise<boolean> {
  const key = gcKey(n)
  return createOnce(records, key, gcCandidatesRecord.encode({ n, run, at, packs: [...packs] }), { signal })
}

/** The end of prune n, for good. False: it has another end already. */
export function decideGc(
  records: Records,
  outcome: Exclude<GcDone['outcome'], 'stub'>,
  dead: Iterable<string>,
  { n, run, at, signal }: Author,
): Promise<boolean> {
  const key = gcDoneKey(n)
  return createOnce(records, key, gcDoneRecord.encode({ n, outcome, run, at, dead: [...dead] }), { signal })
}

/** In the place of an older outcome whose list is in a later one. */
export async function stubOutcome(records: Records, { n, run, at, signal }: Author): Promise<void> {
  const key = gcDoneKey(n)
  await records.put('control', key, gcDoneRecord.encode({ n, outcome: 'stub', run, at, dead: [] }), { signal })
}

/**
 * True only if the own bytes are there. A reply that was lost is looked up; where nothing is there then, the call may
 * still be on its way, and it is not repeated: the error is thrown.
 */
async function createOnce(records: Records, key: string, bytes: Uint8Array, { signal }: CallSignal): Promise<boolean> {
  const sealed = records.seal('control', key, bytes)
  try {
    return (await records.create(key, sealed, { signal })) !== 'exists'
  } catch (error) {
    if (certainlyRefused(error)) throw error
    const there = await records.find(key, { signal: cleanupSignal() })
    if (there === undefined) throw error
    return sameBytes(there, sealed)
  }
}

export function busy(n: number, owner: string): BackupError {
  return new BackupError('RUN_EXISTS', `prune ${n} of run ${owner} is under way`, {
    origin: 'repository',
    retryable: true,
    details: { n, runId: owner },
    hint: 'One prune at a time frees space. Try again when that one has ended.',
  })
}
