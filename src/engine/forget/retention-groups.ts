/** Which snapshots belong together, and how people call that. */
import type { RetentionGroup } from '../types/retention.ts'
import type { Candidate } from './retention-rules.ts'

/** Names are quoted where they could be taken for something else, so that no two groups have the same name. */
export function groupNames(by: readonly RetentionGroup[]): (snapshot: Candidate) => string {
  if (by.length === 0) return () => 'all'
  return (snapshot) => by.map((each) => PARTS[each](snapshot)).join(', ')
}

const PARTS: Readonly<Record<RetentionGroup, (snapshot: Candidate) => string>> = {
  host: ({ host }) => `host ${quoted(host)}`,
  sources: ({ sources }) =>
    list(
      'sources',
      sources.map(({ name }) => name),
    ),
  tags: ({ tags }) => list('tags', tags),
  schedule: ({ schedule }) => (schedule === undefined ? 'no schedule' : `schedule ${quoted(schedule)}`),
}

function list(what: string, names: readonly string[]): string {
  return names.length === 0 ? `no ${what}` : `${what} ${[...new Set(names)].sort().map(quoted).join(' + ')}`
}

function quoted(name: string): string {
  return /^[\p{L}\p{N}_.:@/-]+$/u.test(name) ? name : JSON.stringify(name)
}
