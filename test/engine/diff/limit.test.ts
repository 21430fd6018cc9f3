import { expect, it } from 'vitest'
import { ChangeLog } from '../../../src/engine/diff/change-log.ts'
import { LiveCompare } from '../../../src/engine/diff/live-compare.ts'
import type { RunContext } from '../../../src/engine/run/context.ts'
import { BatchWriter } from '../../../src/model/entry-batch.ts'
import type { LiveAnswer } from '../../../src/workers/diff/live.ts'
import { RowWriter } from '../../../src/workers/diff/rows.ts'
import type { Session } from '../../../src/workers/threads/rpc.ts'

it('gives up a live diff with more changes than it may keep, and says what to do', async () => {
  const rows = new RowWriter()
  const call = async (method: string): Promise<LiveAnswer | null> => {
    if (method === 'begin-live') return null
    for (let i = 0; i < 3; i++) rows.add({ type: 'added', after: { path: `f${i}`, type: 0, sizeBytes: 2 } })
    return { number: 0, batch: rows.take(), checks: null, passed: 3, more: false }
  }
  const run = { progress: { phase: () => {}, add: () => {} } } as unknown as RunContext
  const session = { call } as unknown as Session
  const log = new ChangeLog(5)
  const compare = new LiveCompare({ session, hashing: undefined, run, log, maxChanges: 5 })
  await compare.begin({ source: 's', base: null, checksum: false, exactFingerprints: true })
  const batch = { batch: new BatchWriter().take('', 0), warnings: [] }
  await compare.push(batch)
  expect(log.totals.added).toEqual({ count: 3, bytes: 6 })
  await expect(compare.push(batch)).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    hint: expect.stringContaining('select'),
  })
})
