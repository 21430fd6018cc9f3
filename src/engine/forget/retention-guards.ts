/** What no policy does unless it says so: leave a group without any snapshot, or drop the newest that was proved sound. */
import type { Retention } from '../types/retention.ts'
import type { Judged } from './retention.ts'
import { type Candidate, isWhole } from './retention-rules.ts'

export interface Guarded {
  readonly code: 'GROUP_EMPTY' | 'LAST_VERIFIED'
  readonly snapshot: string
  readonly group: string
  /** False: the policy allows it. */
  readonly kept: boolean
}

/** `judged`: of one group, newest first, without those of the future. */
export function guard(
  judged: readonly Judged[],
  { allowDropVerified = false, allowEmptyGroup = false }: Retention,
): { judged: readonly Judged[]; guarded: readonly Guarded[] } {
  const guarded: Guarded[] = []
  let after = judged
  const protect = (one: Judged | undefined, code: Guarded['code'], reason: string, allowed: boolean): void => {
    if (one === undefined || one.keep) return
    guarded.push({ code, snapshot: one.snapshot.id, group: one.group, kept: !allowed })
    if (!allowed) after = after.map((each) => (each === one ? { ...one, keep: true, reasons: [reason] } : each))
  }
  protect(provedBest(after), 'LAST_VERIFIED', 'the newest that was proved sound', allowDropVerified)
  if (!after.some(({ keep }) => keep))
    protect(bestOf(after), 'GROUP_EMPTY', 'the last one of its group', allowEmptyGroup)
  return { judged: after, guarded }
}

/** A proof of the structure alone says little about the data. */
export function provedBest<T extends { snapshot: Candidate }>(newestFirst: readonly T[]): T | undefined {
  const sound = newestFirst.filter(({ snapshot }) => snapshot.lastVerified?.sound)
  return sound.find(({ snapshot }) => snapshot.lastVerified?.level !== 'structure') ?? sound[0]
}

function bestOf(newestFirst: readonly Judged[]): Judged | undefined {
  return newestFirst.find(({ snapshot }) => isWhole(snapshot)) ?? newestFirst[0]
}
