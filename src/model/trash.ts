/** `trash/<id>`: a forgotten snapshot that can still be brought back, until a prune finds that its time is over. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { isoDate, runId } from './json-record-fields.ts'
import { MAX_SNAPSHOT_BYTES, type SnapshotRecord, snapshotRecord } from './snapshot.ts'

const schema = z.strictObject({
  id: runId,
  /** When it was forgotten. */
  at: isoDate,
  /** The record of the snapshot as it was, in base64. */
  snapshot: z.base64().max(Math.ceil(MAX_SNAPSHOT_BYTES / 3) * 4),
})

const record = jsonRecord({ type: 'trash', version: 1, maxBytes: 2 * MAX_SNAPSHOT_BYTES, schema })

export interface Trash {
  readonly id: string
  readonly at: Date
  readonly snapshot: SnapshotRecord
}

export const MAX_TRASH_BYTES = record.maxBytes

export function encodeTrash({ id, at, snapshot }: Trash): Uint8Array<ArrayBuffer> {
  return record.encode({ id, at, snapshot: Buffer.from(snapshotRecord.encode(snapshot)).toString('base64') })
}

/** @throws BackupError OBJECT_CORRUPT, FORMAT_UNSUPPORTED */
export function decodeTrash(bytes: Uint8Array, key?: string): Trash {
  const { id, at, snapshot } = record.decode(bytes, key)
  return { id, at, snapshot: snapshotRecord.decode(Buffer.from(snapshot, 'base64'), key) }
}
