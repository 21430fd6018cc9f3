/** The lines of `metadata.json` that stand for entries: all that a ZIP cannot hold of them. */
import type { Json } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, TYPE_OTHER, typeName } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ZipItem } from './zip-items.ts'

export const METADATA_NAME = 'metadata.json'
export const METADATA_TAIL = '\n]}\n'

export interface EntryLine {
  source: string
  path: string
  type: string
  size?: number
  mode?: number
  uid?: number
  gid?: number
  mtimeNs?: string
  linkTarget?: string
  linkGroup?: string
  facts?: Readonly<Record<string, Json>>
  /** Name in the ZIP. */
  zip?: string
  sha256?: string
}

/** `sha256`: of what the ZIP has of it. */
export function entryLine({ source, meta, head }: ZipItem, sha256: string | undefined): string {
  const { mode, uid, gid, mtimeNs, sizeBytes, linkTarget, linkGroup, attributes } = meta
  const { 'holdfast.type': _, ...facts } = attributes ?? {}
  const line: EntryLine = {
    source: source.name,
    path: latin1ToUser(meta.path),
    type: storedType(meta),
    ...(sizeBytes !== undefined && { size: sizeBytes }),
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mtimeNs !== undefined && { mtimeNs: String(mtimeNs) }),
    ...(linkTarget !== undefined && { linkTarget: latin1ToUser(linkTarget) }),
    ...(linkGroup !== undefined && { linkGroup: latin1ToUser(linkGroup) }),
    ...(Object.keys(facts).length > 0 && { facts }),
    ...(head && { zip: latin1ToUser(head.name.toString('latin1')) }),
    ...(sha256 !== undefined && !head?.isFolder && { sha256 }),
  }
  return JSON.stringify(line)
}

function storedType(meta: EntryMeta): string {
  return meta.type === TYPE_OTHER ? typeName(meta) : ENTRY_TYPES[meta.type]!
}
