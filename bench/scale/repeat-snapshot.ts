/** Snapshots as backups of an unchanged tree leave them: one an hour, each the child of the one before. */
import { createHash, randomBytes } from 'node:crypto'
import { snapshotRecord } from '../../src/model/snapshot.ts'
import { openRepository } from '../../src/repository/open.ts'
import { Snapshots } from '../../src/repository/snapshots.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { zstd } from '../../src/transforms/zstd.ts'
import { benchKey } from '../open/simulate.ts'

const HOUR_MS = 3_600_000

/** Adds to the one snapshot of the repository until there are `count`. */
export async function repeatSnapshot(folder: string, count: number): Promise<void> {
  const target = localTarget(folder)
  const registry = new TransformRegistry()
  const options = { target, key: benchKey(), create: 'never', transforms: [zstd()], registry, now: new Date() } as const
  const { records } = await openRepository(options)
  let parent = (await new Snapshots(records).list()).snapshots[0]!
  for (let n = 1; n < count; n++) {
    const createdAt = new Date(parent.record.createdAt.getTime() + HOUR_MS)
    const id = `${createdAt
      .toISOString()
      .replace(/[-:.Z]/g, '')
      .replace('T', 't')}-${randomBytes(4).toString('hex')}`
    const record = { ...parent.record, id, runId: id, createdAt, parent: parent.id, previous: parent.checksum }
    const sealed = records.seal('snapshots', `snapshots/${id}`, snapshotRecord.encode(record))
    await target.put(`snapshots/${id}`, sealed)
    parent = { id, record, checksum: createHash('sha256').update(sealed).digest('hex') }
  }
  await target.close()
}
