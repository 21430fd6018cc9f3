/**
 * `metadata.json`: all that a ZIP cannot hold. JSON with one entry a line, so that it is written and read in little memory,
 * whatever the number of entries. Paths are texts in which a byte that is not UTF-8 is the lone surrogate U+DC00 + byte.
 */
import type { Snapshot } from '../types/snapshot.ts'
import type { ExportSource } from './export-sources.ts'

export const METADATA_FORMAT = 'holdfast-zip'
export const METADATA_VERSION = 1

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
