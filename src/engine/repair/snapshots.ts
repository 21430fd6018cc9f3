/** Snapshots whose own objects are damaged, as a mirror has them. */
import { sha256Hex } from '../../crypto/hash.ts'
import { MAX_SNAPSHOT_BYTES } from '../../model/snapshot.ts'
import { decodeSnapshotObject } from '../../model/tombstone.ts'
import { snapshotKey } from '../../repository/keys-layout.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { EngineContext } from '../types/context.ts'
import type { Mirrors } from './mirrors.ts'

export async function readSnapshots(
  { repository: { repository } }: EngineContext,
  mirrors: Mirrors,
  ids: readonly string[],
): Promise<SnapshotInfo[]> {
  const found: SnapshotInfo[] = []
  for (const id of ids) {
    const key = snapshotKey(id)
    const stored = await mirrors.take(key)
    const object =
      stored && decodeSnapshotObject(repository.records.open('snapshots', key, stored, MAX_SNAPSHOT_BYTES), key)
    if (object && 'snapshot' in object) found.push({ id, record: object.snapshot, checksum: sha256Hex(stored!) })
  }
  return found
}
