/** The engine's own suites of backups and restores once more, in a bucket wherever they make a memory target. */
import { describe, vi } from 'vitest'
import { useBucket } from './instead-of-memory.ts'

vi.mock('../../../src/index.ts', async (original) => {
  const { bucketTarget } = await import('./instead-of-memory.ts')
  return { ...(await original<Record<string, unknown>>()), memoryTarget: bucketTarget }
})

useBucket()

describe('in a bucket', async () => {
  await import('../../roundtrip/series.test.ts')
  await import('../../roundtrip/exact.test.ts')
  await import('../../roundtrip/custom.test.ts')
  await import('../../roundtrip/source-facts.test.ts')
  await import('../../roundtrip/stream-ends.test.ts')
  await import('../../faults/abort-restore.test.ts')
})
