/** `<source>/<path>`, as users name entries, and its two parts. */
import { BackupError } from '../../errors.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import type { EntryPath } from '../types/browse.ts'

export interface EntryPlace {
  source: string
  /** latin1, relative to the source; '' is the source itself. */
  path: string
}

/** A '/' at the end says no more than that a folder is meant. */
export function parseEntryPath(path: EntryPath): EntryPlace {
  const plain = path.replace(/\/+$/, '')
  const slash = plain.indexOf('/')
  if (slash < 0) return { source: plain, path: '' }
  return { source: plain.slice(0, slash), path: userToLatin1(plain.slice(slash + 1)) }
}

export function formatEntryPath(source: string, latin1: string): EntryPath {
  return `${source}/${latin1ToUser(latin1)}`
}

/** Names are ASCII, so this is the order of their bytes. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/** Sources of a snapshot in the order in which listings give them. */
export function sortedSources({ record }: SnapshotInfo): SnapshotSourceRecord[] {
  return [...record.sources].sort((a, b) => compareNames(a.name, b.name))
}

export function entryNotFound(snapshot: string, path: EntryPath): BackupError {
  return new BackupError('ENTRY_NOT_FOUND', `snapshot ${snapshot} has no entry ${JSON.stringify(path)}`, {
    origin: 'usage',
    details: { snapshot, path },
    hint: 'Paths begin with the name of a source: list the entries to see which there are.',
  })
}
