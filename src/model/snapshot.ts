/** `snapshots/<id>`: one backup. Its creation is the commit; it never changes (what may change is in its notes). */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { chunkId, count, facts, hash, isoDate, runId, text } from './json-record-fields.ts'

/** What a snapshot should take: listing ten thousand of them means reading them. Facts that do not fit go elsewhere. */
export const SNAPSHOT_AIM_BYTES = 4096
/** What it may take at most, with many sources, tags and labels. */
export const MAX_SNAPSHOT_BYTES = 64 * 1024
export const MAX_SOURCES = 256

/** A page tree or a text stored as one chunk. `rawBytes` is the chunk's length. */
const chunkRef = z.strictObject({ id: chunkId, rawBytes: count })
/** `level` 0: the root is a page of entries; otherwise so many levels of inner pages lie above those. */
const pageRoot = chunkRef.extend({ level: z.int().min(0).max(16) })

const source = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/),
  kind: z.string().min(1).max(64),
  /** Null: no entries. */
  root: pageRoot.nullable(),
  entries: count,
  /** Bytes that the entries hold. */
  bytes: count,
  facts,
  /** The facts as a chunk of JSON, where they are too large for the snapshot; `facts` is empty then. */
  factsRef: z.exactOptional(chunkRef),
})

export const backupCounts = z.strictObject({
  entries: count,
  added: count,
  modified: count,
  unchanged: count,
  deleted: count,
  skipped: count,
  sourceBytes: count,
  readBytes: count,
  newBytes: count,
  storedBytes: count,
})

const schema = z.strictObject({
  id: runId,
  runId,
  createdAt: isoDate,
  host: text(256),
  kind: z.enum(['backup', 'restore-point', 'import']),
  name: z.exactOptional(text(256)),
  description: z.exactOptional(text(4096)),
  tags: z.array(z.string().min(1).max(128)).max(64),
  labels: z.record(z.string().min(1).max(128), text(1024)).refine((map) => Object.keys(map).length <= 64, 'at most 64'),
  actor: z.exactOptional(text(256)),
  schedule: z.exactOptional(text(128)),
  /** Id of the snapshot it was compared with. */
  parent: z.exactOptional(runId),
  /** SHA-256 of the parent's stored object: what was seen then cannot be changed unnoticed. Null without a parent. */
  previous: hash.nullable(),
  /** Set in a copy: repository and id of the first snapshot that it is a copy of. */
  copiedFrom: z.exactOptional(z.strictObject({ repository: text(128), snapshot: runId })),
  /**
   * Set where this one took another's place: `snapshot` is that one, `why` what was left out, and `entries` and `bytes` how
   * much of it in all, that one's own included.
   */
  rewrittenFrom: z.exactOptional(
    z.strictObject({ snapshot: runId, why: z.enum(['repair', 'erase']), entries: count, bytes: count }),
  ),
  /** Set in one that was forgotten and brought back: its first id. */
  undoneFrom: z.exactOptional(runId),
  /** False where entries were left out by policy. */
  complete: z.boolean(),
  /** Newest key epoch when it was made. */
  epoch: count,
  durationMs: z.number().min(0),
  counts: backupCounts,
  sources: z.array(source).max(MAX_SOURCES),
})

export type SnapshotRecord = z.output<typeof schema>
export type SnapshotSourceRecord = SnapshotRecord['sources'][number]
export type PageRoot = z.output<typeof pageRoot>
export type ChunkRefRecord = z.output<typeof chunkRef>

export const snapshotRecord = jsonRecord({ type: 'snapshot', version: 1, maxBytes: MAX_SNAPSHOT_BYTES, schema })

/** Facts this small cost no more than a reference to them. */
const SMALL_FACTS_BYTES = 128

/**
 * Positions of the sources whose facts should be stored as chunks so that the snapshot stays within its aim, the
 * largest first. Empty for nearly every snapshot.
 */
export function factsToMove(snapshot: SnapshotRecord): number[] {
  let excess = snapshotRecord.encode({ ...snapshot, sources: [] }).length - SNAPSHOT_AIM_BYTES
  const sizes = snapshot.sources.map((each, index) => {
    excess += jsonBytes({ ...each })
    return { index, bytes: jsonBytes(each.facts) }
  })
  const moved: number[] = []
  for (const { index, bytes } of sizes.sort((a, b) => b.bytes - a.bytes)) {
    if (excess <= 0 || bytes <= SMALL_FACTS_BYTES) break
    moved.push(index)
    excess -= bytes - SMALL_FACTS_BYTES
  }
  return moved
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value)) + 1
}
