/** The engine's own suites of looking and comparing once more, in a bucket wherever they make a memory target. */
import { describe, vi } from 'vitest'
import { useBucket } from './instead-of-memory.ts'

vi.mock('../../../src/index.ts', async (original) => {
  const { bucketTarget } = await import('./instead-of-memory.ts')
  return { ...(await original<Record<string, unknown>>()), memoryTarget: bucketTarget }
})

useBucket()

describe('in a bucket', async () => {
  await import('../../engine/browse/entries.test.ts')
  await import('../../engine/browse/read.test.ts')
  await import('../../engine/backup/pull.test.ts')
  await import('../../engine/diff/diff.test.ts')
  await import('../../engine/diff/live.test.ts')
})
