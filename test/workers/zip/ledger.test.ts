import { expect, it } from 'vitest'
import { Ledger, type LedgerRecord } from '../../../src/workers/zip/ledger.ts'

/** Enough for several blocks in the file and one that is begun. */
const RECORDS = 150_000

function record(i: number): LedgerRecord {
  return {
    method: i % 2 === 0 ? 0 : 8,
    hasDescriptor: i % 3 === 0,
    crc: Math.imul(i, 2_654_435_761) >>> 0,
    storedBytes: i * 2 ** 20,
    sha256: i.toString(16).padStart(64, '0'),
    hasHoles: i % 5 === 0,
  }
}

it('many entries are remembered in a file, and told in order, twice', () => {
  const ledger = new Ledger()
  for (let i = 0; i < RECORDS; i++) ledger.add(record(i))
  expect(ledger.count).toBe(RECORDS)
  for (let walk = 0; walk < 2; walk++) {
    let wrong = 0
    for (let i = 0; i < RECORDS; i += 7) if (JSON.stringify(ledger.get(i)) !== JSON.stringify(record(i))) wrong++
    expect(wrong).toBe(0)
  }
  ledger.close()
  expect(() => ledger.get(0)).toThrow()
})
