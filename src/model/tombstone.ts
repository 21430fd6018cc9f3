/** Takes the place of `snapshots/<id>`: that run can commit no more, or its snapshot is forgotten. It stays for good. */
import * as z from 'zod'
import { jsonRecord, parseRecord } from './json-record.ts'
import { isoDate, runId } from './json-record-fields.ts'
import { MAX_SNAPSHOT_BYTES, type SnapshotRecord, snapshotRecord } from './snapshot.ts'

const schema = z.strictObject({
  id: runId,
  at: isoDate,
  /**
   * fenced: a prune gave the run up. forgotten: the snapshot was dropped. abandoned: the run gave itself up. erased: it was
   * ended for good, and a copy of it in `trash/` counts for nothing.
   */
  reason: z.enum(['fenced', 'forgotten', 'abandoned', 'erased']),
  /** Run that wrote it. */
  by: z.exactOptional(runId),
})

export type Tombstone = z.output<typeof schema>
export const tombstoneRecord = jsonRecord({ type: 'tombstone', version: 1, maxBytes: 4096, schema })

/** What may lie at `snapshots/<id>`. */
export type SnapshotObject = { snapshot: SnapshotRecord } | { tombstone: Tombstone }

export function decodeSnapshotObject(bytes: Uint8Array, key?: string): SnapshotObject {
  const raw = parseRecord(bytes, MAX_SNAPSHOT_BYTES, key)
  if (raw.type === tombstoneRecord.type) return { tombstone: tombstoneRecord.fromObject(raw, key) }
  return { snapshot: snapshotRecord.fromObject(raw, key) }
}
