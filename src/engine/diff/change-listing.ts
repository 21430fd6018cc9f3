/** The changes of a diff as a listing: from memory as far as they are kept, found again beyond that. */

import { type EntryMeta, xattrsOf } from '../../model/entry.ts'
import { readRows } from '../../workers/diff/rows.ts'
import { type EntryPlace, formatEntryPath, parseEntryPath } from '../browse/entry-path.ts'
import { viewEntry } from '../browse/entry-view.ts'
import { makeListing } from '../listing.ts'
import type { Change } from '../types/browse.ts'
import type { Listing } from '../types/run.ts'
import { type ChangeLog, comparePlaces, type SourceRows } from './change-log.ts'

/** Finds the changes behind a place again. */
export type FindAgain = (behind: EntryPlace) => AsyncGenerator<SourceRows>

export function listChanges(log: ChangeLog, findAgain: FindAgain): Listing<Change> {
  return makeListing<Change, string>({
    iterate: (after, note) => {
      note.total = log.count
      return changesBehind(log, findAgain, after === undefined ? undefined : parseEntryPath(after))
    },
    placeOf: (change) => change.path,
    parsePlace: (value) => (typeof value === 'string' ? value : undefined),
  })
}

async function* changesBehind(
  log: ChangeLog,
  findAgain: FindAgain,
  after: EntryPlace | undefined,
): AsyncGenerator<Change> {
  for (const rows of log.kept) yield* changesOf(rows, after)
  const last = log.lastPlace
  if (log.isWhole || !last) return
  const behind = after && comparePlaces(after, last) > 0 ? after : last
  for await (const rows of findAgain(behind)) yield* changesOf(rows, behind)
}

function* changesOf({ source, batch }: SourceRows, after: EntryPlace | undefined): Generator<Change> {
  if (after && comparePlaces({ source, path: batch.lastPath }, after) <= 0) return
  for (const { type, before, after: now } of readRows(batch)) {
    const { path } = (now ?? before)!
    if (after && comparePlaces({ source, path }, after) <= 0) continue
    const xattrs = before && now ? otherXattrs(before, now) : []
    yield {
      path: formatEntryPath(source, path),
      type,
      ...(before && { before: viewEntry(source, before) }),
      ...(now && { after: viewEntry(source, now) }),
      ...(xattrs.length > 0 && { xattrs }),
    }
  }
}

function otherXattrs(before: EntryMeta, after: EntryMeta): string[] {
  if (before.attributes === undefined && after.attributes === undefined) return []
  const [old = {}, now = {}] = [xattrsOf(before), xattrsOf(after)]
  const names = new Set([...Object.keys(old), ...Object.keys(now)])
  return [...names].filter((name) => old[name] !== now[name]).sort()
}
