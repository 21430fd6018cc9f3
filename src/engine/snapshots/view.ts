/** From stored snapshots to what users see, and to where a worker begins to walk. */

import type { Note } from '../../model/note.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import { withNote } from '../../repository/notes.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { Snapshot, SnapshotSource } from '../types/snapshot.ts'

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
export function viewSnapshot(info: SnapshotInfo, note?: Note): Snapshot {
  const { id, record, checksum, name, description, tags, holds, lastVerified } = withNote(info, note)
  const {
    createdAt,
    host,
    labels,
    actor,
    schedule,
    parent,
    copiedFrom,
    rewrittenFrom,
    undoneFrom,
    complete,
    kind,
    counts,
    durationMs,
  } = record
  return {
    id,
    createdAt: new Date(createdAt),
    host,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    tags: [...tags],
    labels: { ...labels },
    ...(actor !== undefined && { actor }),
    ...(schedule !== undefined && { schedule }),
    ...(parent !== undefined && { parent }),
    ...(copiedFrom && { copiedFrom: { ...copiedFrom } }),
    ...(rewrittenFrom && { rewrittenFrom: { ...rewrittenFrom } }),
    ...(undoneFrom !== undefined && { undoneFrom }),
    complete,
    kind,
    sources: record.sources.map(viewSource),
    counts: { ...counts },
    durationMs,
    holds: holds.map((hold) => ({ ...hold })),
    checksum,
    ...(lastVerified && { lastVerified: lastVerified as NonNullable<Snapshot['lastVerified']> }),
  }
}

function viewSource(record: SnapshotSourceRecord): SnapshotSource {
  const { name, kind, entries, bytes, facts, factsRef } = record
  const view = { name, kind, entries, bytes, facts: { ...facts } }
  if (factsRef) behind.set(view, record)
  return view
}

const behind = new WeakMap<SnapshotSource, SnapshotSourceRecord>()

/** The record of a source whose facts do not lie in the snapshot, and so are not in its view. */
export function recordBehind(source: SnapshotSource): SnapshotSourceRecord | undefined {
  return behind.get(source)
}
