/** The commit: `snapshots/<id>` is created once, and it is made certain whether it was. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError } from '../errors.ts'
import { type SnapshotRecord, snapshotRecord } from '../model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../model/tombstone.ts'
import type { CallSignal } from '../targets/target.ts'
import { abortError, throwIfAborted } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import type { ObjectCache } from './cache/object-cache.ts'
import { snapshotKey } from './keys-layout.ts'
import { certainlyRefused, type Records, sameBytes } from './records.ts'
import { cleanupSignal, type Run, runExists, runFenced } from './runs.ts'
import { SURE_TO_LIVE_MS } from './runs-heartbeat.ts'
import type { SnapshotInfo } from './snapshots.ts'

export interface CommitOptions extends CallSignal {
  records: Records
  run: Run
  /** Its id is the run's. */
  snapshot: SnapshotRecord
  clock: Clock
  /** Gets a copy of what was committed. */
  cache?: ObjectCache
}

const MAX_THROTTLED = 5
const FIRST_PAUSE_MS = 500
/** Readings of what lies at the key; it changes at most twice. */
const MAX_LOOKS = 3

/**
 * Stores the snapshot and ends the run. RUN_FENCED: a prune gave the run up. RUN_EXISTS: another run's snapshot has this
 * id. When the reply of the target is lost it looks what is there: its own bytes are success; nothing is made final with
 * a tombstone, so that a late arrival cannot commit what the caller was told has failed. Where not even that can be
 * done, the error has `details.committed: 'unknown'` and `runs/<id>` stays.
 */
export async function commitSnapshot(options: CommitOptions): Promise<SnapshotInfo> {
  const { records, run, snapshot } = options
  if (snapshot.id !== run.runId) throw new RangeError('a snapshot has the id of its run')
  requireLease(options)
  const key = snapshotKey(snapshot.id)
  const sealed = records.seal('snapshots', key, snapshotRecord.encode(snapshot))
  const doubt = await create(key, sealed, options)
  if (doubt !== 'created') await settle(key, sealed, doubt, options)
  await options.cache?.put({ key, bytes: sealed.byteLength }, sealed)
  await run.finish()
  return { id: snapshot.id, record: snapshot, checksum: sha256Hex(sealed) }
}

/**
 * Where the target cannot create once, a tombstone that is on its way would overwrite the snapshot. None is while nobody can have
 * taken the run for dead; after a longer silence nobody can tell, and what was stored is used by the next run.
 */
function requireLease({ records, run }: CommitOptions): void {
  if (records.target.traits.createOnly) return
  const { longestSilenceMs } = run.heartbeat
  if (longestSilenceMs <= SURE_TO_LIVE_MS) return
  const seconds = Math.round(longestSilenceMs / 1000)
  throw runFenced(run.runId, `was silent for ${seconds} s, so a prune may have given it up`)
}

/** Why it is not known to be created: the key exists, or the call ended with an error that does not say. */
type Doubt = { exists: true } | { error: unknown }

async function create(
  key: string,
  sealed: Uint8Array<ArrayBuffer>,
  { records, clock, signal }: CommitOptions,
): Promise<'created' | Doubt> {
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(signal)
    try {
      return (await records.target.put(key, sealed, { ifAbsent: true, signal })) ? 'created' : { exists: true }
    } catch (error) {
      if (certainlyRefused(error)) throw error
      // Throttled: the target has answered, so no create is under way that a second one could cross.
      const throttled = BackupError.is(error) && error.code === 'TARGET_THROTTLED'
      if (!throttled || attempt >= MAX_THROTTLED) return { error }
    }
    await clock.sleep(FIRST_PAUSE_MS * 2 ** attempt, { signal })
  }
}

/** Returns if the snapshot is there; otherwise it never will be, or the run is kept and the error says "unknown". */
async function settle(key: string, sealed: Uint8Array, doubt: Doubt, options: CommitOptions): Promise<void> {
  const verdict = await judge(key, sealed, options).catch((cause: unknown) => {
    options.run.keep()
    throw unknown(key, 'error' in doubt ? doubt.error : cause, cause)
  })
  if (verdict === 'own') return
  const { runId } = options.run
  if (verdict === 'fenced') throw runFenced(runId)
  if (verdict === 'other') throw runExists(runId, 'has made a snapshot')
  throw 'error' in doubt ? failureOf(doubt.error, options.signal) : runFenced(runId)
}

type Verdict = 'own' | 'other' | 'fenced' | 'abandoned'

async function judge(key: string, sealed: Uint8Array, { records, run, clock }: CommitOptions): Promise<Verdict> {
  let failure: unknown
  for (let look = 0; look < MAX_LOOKS; look++) {
    const there = await records.find(key, { signal: cleanupSignal() })
    if (there !== undefined) return whose(records, key, sealed, there)
    const tombstone = tombstoneRecord.encode({ id: run.runId, at: clock.now(), reason: 'abandoned', by: run.runId })
    try {
      const call = { ifAbsent: true, signal: cleanupSignal() }
      if (await records.put('snapshots', key, tombstone, call)) return 'abandoned'
    } catch (error) {
      // Its reply may be lost as well: look again.
      failure = error
    }
  }
  throw failure ?? invisible(key)
}

function whose(records: Records, key: string, sealed: Uint8Array, there: Uint8Array): Verdict {
  if (sameBytes(there, sealed)) return 'own'
  const object = decodeSnapshotObject(records.open('snapshots', key, there), key)
  if ('snapshot' in object) return 'other'
  return object.tombstone.reason === 'abandoned' ? 'abandoned' : 'fenced'
}

function invisible(key: string): BackupError {
  return new BackupError('TARGET_PROTOCOL', `${key} exists for writers and not for readers`, {
    origin: 'target',
    details: { key },
  })
}

function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted && !BackupError.is(error) ? abortError(signal.reason) : error
}

function unknown(key: string, error: unknown, cause: unknown): BackupError {
  const known = BackupError.is(error) ? error : undefined
  return new BackupError(known?.code ?? 'TARGET_UNREACHABLE', `it is not known whether ${key} was stored`, {
    origin: known?.origin ?? 'target',
    retryable: true,
    details: { ...known?.details, key, committed: 'unknown' },
    hint: 'List the snapshots when the target can be reached again; running the backup again is safe in any case.',
    cause,
  })
}
