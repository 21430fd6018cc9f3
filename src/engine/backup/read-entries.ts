/** What came of reading the entries of a custom source, as the merge takes it. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { FINGERPRINT_BYTES } from '../../model/entry.ts'
import type { SourceEntry } from '../../sources/source.ts'
import { ByteWriter } from '../../util/bytes.ts'
import { type ReadJob, type ReadResult, STATUS_OK, STATUS_SKIPPED } from '../../workers/ingest/service.ts'

/** An entry with its record, or one that is left out. `isOther`: not the version that the fingerprint is of. */
export type ReadEntry =
  | { readonly record: Uint8Array; readonly isOther: boolean; readonly warning?: never }
  | { readonly warning: Warning }

/** Undefined where the failure of this entry is that of the run. As with files: what is gone is no fault. */
export function skipWarning(
  { path, content }: SourceEntry,
  error: unknown,
  onUnreadable: 'fail' | 'skip',
): Warning | undefined {
  if (content?.from !== 'stream' || !content.skippable) return undefined
  if (!BackupError.is(error) || error.origin !== 'source') return undefined
  if (error.code === 'SOURCE_NOT_FOUND') {
    const message = `${path}: vanished before it could be read; left out`
    return { code: 'ENTRY_CHANGED_WHILE_READ', message, path }
  }
  if (onUnreadable === 'fail') return undefined
  return { code: 'ENTRY_SKIPPED', message: `${path}: ${error.message}`, path, details: { code: error.code } }
}

export function readResult(job: ReadJob, entries: readonly ReadEntry[], readBytes: number): ReadResult {
  const records = new ByteWriter(16 * 1024)
  const fingerprints = new ByteWriter(FINGERPRINT_BYTES * Math.max(1, job.count))
  const statuses = new Uint8Array(job.count).fill(STATUS_OK)
  const warnings: Warning[] = []
  for (const [i, entry] of entries.entries()) {
    if (entry.warning) {
      statuses[i] = STATUS_SKIPPED
      warnings.push(entry.warning)
      continue
    }
    records.u32(entry.record.length)
    records.raw(entry.record)
    const at = i * FINGERPRINT_BYTES
    // Zero is never equal.
    fingerprints.raw(
      entry.isOther ? new Uint8Array(FINGERPRINT_BYTES) : job.fingerprints.subarray(at, at + FINGERPRINT_BYTES),
    )
  }
  return { records: records.copy(), fingerprints: fingerprints.copy(), statuses, warnings, readBytes }
}
