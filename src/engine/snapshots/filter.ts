/** Which snapshots, in which order: pure functions over a list of them. */
import type { Snapshot, SnapshotFilter, SnapshotKind } from '../types/snapshot.ts'

const DEFAULT_KINDS: readonly SnapshotKind[] = ['backup']

/** The snapshots that fit, newest first unless told otherwise. Ids break ties, so that the order is total. */
export function filterSnapshots(snapshots: Iterable<Snapshot>, filter: SnapshotFilter = {}): Snapshot[] {
  const words = searchWords(filter.search)
  const fitting = [...snapshots].filter((snapshot) => fits(snapshot, filter) && hasWords(snapshot, words))
  const sorted = fitting.sort(compareAge)
  return filter.order === 'oldest' ? sorted : sorted.reverse()
}

/** Oldest first. */
export function compareAge(a: Pick<Snapshot, 'createdAt' | 'id'>, b: Pick<Snapshot, 'createdAt' | 'id'>): number {
  return a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : Number(a.id > b.id))
}

function fits(snapshot: Snapshot, filter: SnapshotFilter): boolean {
  return (
    (filter.kinds ?? DEFAULT_KINDS).includes(snapshot.kind) &&
    hasAll(snapshot.tags, filter.tags) &&
    hasAll(namesOf(snapshot), filter.sources) &&
    (filter.schedules?.includes(snapshot.schedule ?? '') ?? true) &&
    (filter.hosts?.includes(snapshot.host) ?? true) &&
    (filter.after === undefined || snapshot.createdAt >= filter.after) &&
    (filter.before === undefined || snapshot.createdAt < filter.before) &&
    (filter.complete ?? snapshot.complete) === snapshot.complete &&
    (filter.verified ?? isProved(snapshot)) === isProved(snapshot)
  )
}

function hasAll(present: readonly string[], wanted: readonly string[] = []): boolean {
  return wanted.every((name) => present.includes(name))
}

function namesOf(snapshot: Snapshot): string[] {
  return snapshot.sources.map((source) => source.name)
}

function isProved(snapshot: Snapshot): boolean {
  return snapshot.lastVerified?.sound ?? false
}

function searchWords(search = ''): string[] {
  return search.toLowerCase().split(/\s+/).filter(Boolean)
}

function hasWords(snapshot: Snapshot, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const haystack = searchableText(snapshot).toLowerCase()
  return words.every((word) => haystack.includes(word))
}

/** One field a line: no word can match across two fields, since words hold no white space. */
function searchableText(snapshot: Snapshot): string {
  const labels = Object.entries(snapshot.labels).flat()
  const texts = [snapshot.id, snapshot.name, snapshot.description, snapshot.host, ...snapshot.tags, ...labels]
  return texts.filter((text) => text !== undefined).join('\n')
}
