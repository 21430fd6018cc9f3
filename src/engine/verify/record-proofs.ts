/** What a check leaves in the repository: the ledger of proofs, and a line in the notes of each snapshot. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { Note } from '../../model/note.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { EngineContext } from '../types/context.ts'
import type { VerifyLevel } from '../types/verify.ts'
import type { CheckResult } from './check.ts'
import type { CheckOptions } from './check-work.ts'

/**
 * A check of all snapshots notes its result with the newest of them and with all that are not sound: each note is three
 * round trips, and nobody looks up when the three hundredth last snapshot was proved. Chosen ones are all noted.
 */
const MAX_NOTED = 100
/** A note that says the same and is younger than this is good enough, so that hourly checks do not pile up notes. */
const SAY_AGAIN_MS = 24 * 60 * 60 * 1000
const WRITES = 8

export interface Recording {
  engine: EngineContext
  options: CheckOptions
  actor?: string | undefined
  signal: AbortSignal
  warn(warning: Warning): void
}

/** A target that cannot be written to is a warning: the check itself was done. */
export async function recordProofs(recording: Recording, result: CheckResult): Promise<void> {
  const { signal, warn, engine } = recording
  const { keys } = engine.repository.repository
  try {
    const { proofs, existing, checked } = result
    // A check may take hours, and what it leaves is not for those whom a rotation has shut out meanwhile.
    if (result.snapshots.length > 0 || checked.size > 0) await keys.refresh(signal)
    if (checked.size > 0) await proofs.add({ existing, checked }, signal)
    await noteSnapshots(recording, result)
  } catch (error) {
    if (signal.aborted || !BackupError.is(error)) throw error
    const message = `the result of this check was not kept in the repository: ${error.message}`
    warn({ code: 'VERIFY_NOT_RECORDED', message, details: { error: error.code } })
  }
}

async function noteSnapshots(recording: Recording, result: CheckResult): Promise<void> {
  const { engine, options, signal, actor } = recording
  const ids = toNote(options, result)
  if (ids.length === 0) return
  const { notes } = engine.repository.repository
  const { notes: newest } = await notes.list({ signal })
  const now = engine.clock.now()
  const write = async ({ id, sound }: { id: string; sound: boolean }): Promise<void> => {
    const lastVerified = { at: now, level: levelOf(options, result), sound }
    if (saysTheSame(newest.get(id)?.lastVerified, lastVerified)) return
    await notes.write(id, (note) => ({ ...note, lastVerified }), { now, signal, ...(actor !== undefined && { actor }) })
  }
  for await (const _ of mapBounded(ids, WRITES, write, signal));
}

function toNote({ snapshots: chosen }: CheckOptions, { snapshots, infos }: CheckResult): CheckResult['snapshots'] {
  const readable = new Set(infos.map(({ id }) => id))
  const all = snapshots.filter(({ id }) => readable.has(id))
  return chosen === 'all' ? all.filter(({ sound }, at) => at < MAX_NOTED || !sound) : all
}

/** A part of the data is no proof of all of it. */
function levelOf({ level }: CheckOptions, { whole }: CheckResult): VerifyLevel {
  return whole ? level : 'structure'
}

function saysTheSame(before: Note['lastVerified'], now: NonNullable<Note['lastVerified']>): boolean {
  if (!before || before.level !== now.level || before.sound !== now.sound) return false
  const ageMs = now.at.getTime() - before.at.getTime()
  return ageMs >= 0 && ageMs < SAY_AGAIN_MS
}
