/** From stored snapshots to what users see, and to where a worker begins to walk. */

import type { Note } from '../model/note.ts'
import type { TreeRoot } from '../model/page.ts'
import type { SnapshotSourceRecord } from '../model/snapshot.ts'
import type { SnapshotInfo } from '../repository/snapshots.ts'
import type { Snapshot } from './types-snapshot.ts'

/** Not inner pages themselves: what a snapshot keeps of its root is its id, length and level. */
const NO_FINGERPRINTS = new Uint8Array(32)

export function treeRoot(source: SnapshotSourceRecord | undefined): TreeRoot | null {
  if (!source?.root) return null
  const { id, rawBytes, level } = source.root
  return {
    id: new Uint8Array(Buffer.from(id, 'base64url')),
    pageBytes: rawBytes,
    level,
    firstPath: '',
    fingerprintId: NO_FINGERPRINTS,
    entries: source.entries,
    contentBytes: source.bytes,
  }
}

/** The record with its newest note laid over it. */
export function viewSnapshot({ id, record, checksum }: SnapshotInfo, note?: Note): Snapshot {
  const name = note?.name ?? record.name
  const description = note?.description ?? record.description
  const { createdAt, host, labels, actor, parent, complete, kind, counts, durationMs } = record
  return {
    id,
    createdAt: new Date(createdAt),
    host,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    tags: tagsOf(record.tags, note),
    labels: { ...labels },
    ...(actor !== undefined && { actor }),
    ...(parent !== undefined && { parent }),
    complete,
    kind,
    sources: record.sources.map(({ name, kind, entries, bytes, facts }) => ({
      name,
      kind,
      entries,
      bytes,
      facts: { ...facts },
    })),
    counts: { ...counts },
    durationMs,
    checksum,
    ...(note?.lastVerified && { lastVerified: note.lastVerified as NonNullable<Snapshot['lastVerified']> }),
  }
}

function tagsOf(tags: readonly string[], note: Note | undefined): string[] {
  if (!note) return [...tags]
  const removed = new Set(note.removeTags)
  return [...new Set([...tags, ...note.addTags])].filter((tag) => !removed.has(tag))
}
