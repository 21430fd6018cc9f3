/** The lines of `metadata.json` that stand for entries: all that a ZIP cannot hold of them. */
import type { Json } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, TYPE_OTHER, typeName } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { LedgerRecord } from './ledger.ts'
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
  /** Its zeros are holes. */
  sparse?: true
}

/** `written`: what the ZIP has of it. Made without further objects: there is one for each of very many entries. */
export function entryLine({ source, meta, head }: ZipItem, written: LedgerRecord | undefined): string {
  const { mode, uid, gid, mtimeNs, sizeBytes, linkTarget, linkGroup, attributes } = meta
  const line: EntryLine = { source: source.name, path: latin1ToUser(meta.path), type: storedType(meta) }
  if (sizeBytes !== undefined) line.size = sizeBytes
  if (mode !== undefined) line.mode = mode
  if (uid !== undefined) line.uid = uid
  if (gid !== undefined) line.gid = gid
  if (mtimeNs !== undefined) line.mtimeNs = String(mtimeNs)
  if (linkTarget !== undefined) line.linkTarget = latin1ToUser(linkTarget)
  if (linkGroup !== undefined) line.linkGroup = latin1ToUser(linkGroup)
  addFacts(line, attributes)
  if (head) line.zip = latin1ToUser(head.name.toString('latin1'))
  if (written && !head?.isFolder) line.sha256 = written.sha256
  if (written?.hasHoles) line.sparse = true
  return JSON.stringify(line)
}

function addFacts(line: EntryLine, attributes: EntryMeta['attributes']): void {
  if (!attributes) return
  const { 'holdfast.type': _, ...facts } = attributes
  if (Object.keys(facts).length > 0) line.facts = facts
}

function storedType(meta: EntryMeta): string {
  return meta.type === TYPE_OTHER ? typeName(meta) : ENTRY_TYPES[meta.type]!
}
