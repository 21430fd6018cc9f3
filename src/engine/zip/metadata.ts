/**
 * `metadata.json`: all that a ZIP cannot hold. JSON with one entry a line, so that it is written and read in little memory,
 * whatever the number of entries. Paths are texts in which a byte that is not UTF-8 is the lone surrogate U+DC00 + byte.
 */
import type { Json } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, TYPE_OTHER, typeName } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { Snapshot } from '../types-snapshot.ts'
import type { ExportItem, ExportSource } from './export-items.ts'

export const METADATA_NAME = 'metadata.json'
export const METADATA_FORMAT = 'holdfast-zip'
export const METADATA_VERSION = 1
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

/** Up to the list of entries. */
export function metadataHead(snapshot: Snapshot, repository: string, sources: readonly ExportSource[]): string {
  const { id, createdAt, host, kind, complete, name, description, tags, labels, actor, schedule } = snapshot
  const about = {
    repository,
    id,
    createdAt: createdAt.toISOString(),
    host,
    kind,
    complete,
    name,
    description,
    tags,
    labels,
    actor,
    schedule,
  }
  const lines = [
    `{"format":${JSON.stringify(METADATA_FORMAT)},"version":${METADATA_VERSION},`,
    `"snapshot":${JSON.stringify(about)},`,
    `"sources":${JSON.stringify(sources.map(({ name, kind, prefix, facts }) => ({ name, kind, prefix, facts })))},`,
    `"entries":[`,
  ]
  return lines.join('\n')
}

/** `sha256`: of what the ZIP has of it. */
export function entryLine({ source, meta, head }: ExportItem, sha256: string | undefined): string {
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
