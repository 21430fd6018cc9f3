/** The engine's own suites of verifying, forgetting, pruning and erasing once more, in a bucket wherever they make a memory target. */
import { describe, vi } from 'vitest'
import { useBucket } from './instead-of-memory.ts'

vi.mock('../../../src/index.ts', async (original) => {
  const { bucketTarget } = await import('./instead-of-memory.ts')
  return { ...(await original<Record<string, unknown>>()), memoryTarget: bucketTarget }
})

useBucket()

describe('in a bucket', async () => {
  await import('../../engine/verify/verify.test.ts')
  await import('../../engine/verify/proofs.test.ts')
  await import('../../engine/verify/content.test.ts')
  await import('../../engine/retention/two-hosts.test.ts')
  await import('../../prune/prune.test.ts')
  await import('../../engine/undo/undo.test.ts')
  await import('../../engine/erase/erase.test.ts')
})
