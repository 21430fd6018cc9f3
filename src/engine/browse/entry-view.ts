/** From stored metadata to what users see of an entry. */
import { type EntryMeta, typeName } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { Entry } from '../types/browse.ts'
import { formatEntryPath } from './entry-path.ts'

const NS_PER_MS = 1_000_000n
const TYPE_FACT = 'holdfast.type'

export function viewEntry(source: string, meta: EntryMeta): Entry {
  const { mtimeNs, mode, linkTarget, attributes } = meta
  const { [TYPE_FACT]: _, ...facts } = attributes ?? {}
  return {
    path: formatEntryPath(source, meta.path),
    type: typeName(meta),
    size: meta.sizeBytes ?? 0,
    ...(mtimeNs !== undefined && { modifiedAt: new Date(floorToMs(mtimeNs)) }),
    ...(mode !== undefined && { mode }),
    ...(linkTarget !== undefined && { linkTarget: latin1ToUser(linkTarget) }),
    facts,
  }
}

/** Division of bigints goes towards zero; times before 1970 must not become later. */
function floorToMs(ns: bigint): number {
  const ms = ns / NS_PER_MS
  return Number(ns < 0n && ms * NS_PER_MS !== ns ? ms - 1n : ms)
}
