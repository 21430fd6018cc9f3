import { expect, test } from 'vitest'
import { joinResults, splitJob } from '../../../src/engine/backup/split-job.ts'
import { TYPE_FILE } from '../../../src/model/entry.ts'
import { BatchWriter } from '../../../src/model/entry-batch.ts'
import type { ReadJob, ReadResult } from '../../../src/workers/ingest/service.ts'

const MIB = 1024 * 1024

function jobOf(sizes: readonly number[]): ReadJob {
  const writer = new BatchWriter()
  for (const [i, sizeBytes] of sizes.entries()) {
    writer.add({ path: `file ${i}`, type: TYPE_FILE, sizeBytes } as Parameters<BatchWriter['add']>[0], 1, BigInt(i), 1n)
  }
  const { count, metas, fingerprints, contentBytes } = writer.take('', 0)
  return { source: 'a', root: '/', prefixBytes: 0, follow: false, count, metas, fingerprints, contentBytes }
}

test('a job with little content stays what it is', () => {
  const job = jobOf([MIB, MIB])
  expect(splitJob(job)).toEqual([job])
})

test('parts hold at most 16 MiB or one file, and nothing is lost between them', () => {
  const job = jobOf([MIB, 200 * MIB, 0, 10 * MIB, 7 * MIB])
  const parts = splitJob(job)
  expect(parts.map(({ count, contentBytes }) => [count, contentBytes])).toEqual([
    [1, MIB],
    [1, 200 * MIB],
    [2, 10 * MIB],
    [1, 7 * MIB],
  ])
  expect(Buffer.concat(parts.map(({ metas }) => metas))).toEqual(Buffer.from(job.metas))
  expect(Buffer.concat(parts.map(({ fingerprints }) => fingerprints))).toEqual(Buffer.from(job.fingerprints))
})

test('results of the parts are one in order', () => {
  const result = (byte: number): ReadResult => ({
    records: Uint8Array.of(byte),
    fingerprints: Uint8Array.of(byte, byte),
    statuses: Uint8Array.of(byte),
    warnings: [{ code: 'ENTRY_SKIPPED', message: String(byte) }],
    readBytes: byte,
  })
  const joined = joinResults([result(1), result(2)])
  expect([...joined.records, ...joined.fingerprints, ...joined.statuses]).toEqual([1, 2, 1, 1, 2, 2, 1, 2])
  expect(joined.warnings.map(({ message }) => message)).toEqual(['1', '2'])
  expect(joined.readBytes).toBe(3)
})
