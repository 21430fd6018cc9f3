/** The engine's own suites of repairs, keys, statistics, copies and ZIPs once more, in a bucket wherever they make a memory target. */
import { describe, vi } from 'vitest'
import { useBucket } from './instead-of-memory.ts'

vi.mock('../../../src/index.ts', async (original) => {
  const { bucketTarget } = await import('./instead-of-memory.ts')
  return { ...(await original<Record<string, unknown>>()), memoryTarget: bucketTarget }
})

useBucket()

describe('in a bucket', async () => {
  await import('../../engine/repair/repair.test.ts')
  await import('../../engine/repair/named.test.ts')
  await import('../../engine/keys/keys.test.ts')
  await import('../../engine/keys/pin.test.ts')
  await import('../../engine/stats/stats.test.ts')
  await import('../../engine/copy/copy-snapshots.test.ts')
  await import('../../engine/zip/round-trip.test.ts')
  await import('../../engine/zip/failure.test.ts')
  await import('../../engine/features.test.ts')
})
