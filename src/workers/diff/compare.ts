/** What is different between two forms of one entry. */
import { isDeepStrictEqual } from 'node:util'
import { type EntryMeta, typeName, withXattrs, xattrsOf } from '../../model/entry.ts'
import type { EntrySelector } from '../browse/entry-selector.ts'
import { metaAt } from '../browse/listed-entry.ts'
import type { EntryCursor } from '../browse/page-cursor.ts'
import type { DiffRow, DiffType } from './rows.ts'

export function haveSameRecord(a: EntryCursor, b: EntryCursor): boolean {
  return a.page.compare(b.page, b.recordStart, b.recordEnd, a.recordStart, a.recordEnd) === 0
}

/** Two stored entries of one path. Undefined: nothing that a user would see. */
export function compareStored(before: EntryCursor, after: EntryCursor): DiffType | undefined {
  const [old, now] = [metaAt(before), metaAt(after)]
  if (typeName(old) !== typeName(now)) return 'type-changed'
  if (old.linkTarget !== now.linkTarget || !haveSameStreams(before, after)) return 'modified'
  return hasOtherMetadata(old, now) ? 'metadata' : undefined
}

function haveSameStreams(a: EntryCursor, b: EntryCursor): boolean {
  return a.page.compare(b.page, b.streamsStart, b.recordEnd, a.streamsStart, a.recordEnd) === 0
}

/**
 * A link group is named by device and inode, which change when a tree is copied or mounted anew: only being linked at
 * all counts.
 */
export function hasOtherMetadata(before: EntryMeta, after: EntryMeta): boolean {
  return (
    before.mode !== after.mode ||
    before.uid !== after.uid ||
    before.gid !== after.gid ||
    before.mtimeNs !== after.mtimeNs ||
    before.sizeBytes !== after.sizeBytes ||
    before.linkTarget !== after.linkTarget ||
    (before.linkGroup === undefined) !== (after.linkGroup === undefined) ||
    !isDeepStrictEqual(before.attributes, after.attributes)
  )
}

/** Of an entry whose extended attributes nobody has asked for: they are taken to be as they were. */
export function takeXattrs(before: EntryMeta, after: EntryMeta): void {
  const xattrs = xattrsOf(before)
  if (xattrs) after.attributes = withXattrs(after, xattrs).attributes
}

/** A change counts if either of its sides is selected: an entry that was changed before the time asked for may be new since. */
export function isSelected(selector: EntrySelector, { before, after }: DiffRow): boolean {
  return (after !== undefined && selector.selects(after)) || (before !== undefined && selector.selects(before))
}
