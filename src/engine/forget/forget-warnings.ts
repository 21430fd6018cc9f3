/** What a plan to forget has to tell beside its decisions. */
import type { Warning } from '../../events.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import type { Loaded } from '../snapshots/load.ts'
import type { Judgement } from './retention.ts'
import type { Guarded } from './retention-guards.ts'

/** Ids that a warning lists; it counts all. */
const MAX_LISTED = 20

export function judgementWarnings({ future, guarded }: Judgement): Warning[] {
  const dated =
    'are dated in the future: they stay, and do not count for any rule. Check the clocks of the hosts that made them.'
  return [...about('SNAPSHOT_FROM_FUTURE', future, dated), ...guardWarnings(guarded)]
}

export function damageWarnings({ damaged, unreadableNotes }: Loaded): Warning[] {
  const ids = damaged.map(({ key }) => key.slice(PREFIX.snapshots.length))
  return [
    ...about('SNAPSHOT_UNREADABLE', ids, 'cannot be read: they stay. Run verify.'),
    ...about('SNAPSHOT_UNREADABLE', [...unreadableNotes], 'have notes that cannot be read: they stay. Run verify.'),
  ]
}

function about(code: string, ids: readonly string[], what: string): Warning[] {
  if (ids.length === 0) return []
  const details = { count: ids.length, snapshots: ids.slice(0, MAX_LISTED) }
  return [{ code, message: `${ids.length} snapshots ${what}`, details }]
}

export function guardWarnings(guarded: readonly Guarded[]): Warning[] {
  return guarded.map(({ code, snapshot, group, kept }) => ({
    code,
    message: `${SENTENCES[code]} of ${group}, ${kept ? 'is kept though no rule wants it' : 'will be forgotten'}.`,
    details: { snapshot, group, kept },
  }))
}

const SENTENCES: Readonly<Record<Guarded['code'], string>> = {
  GROUP_EMPTY: 'The last snapshot',
  LAST_VERIFIED: 'The newest snapshot that was proved sound',
}
