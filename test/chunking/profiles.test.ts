import { describe, expect, it } from 'vitest'
import { Chunker } from '../../src/chunking/chunker.ts'
import { gearTable } from '../../src/chunking/gear.ts'
import { TABLE_PROFILE, tableProfileFor } from '../../src/chunking/profiles.ts'

const KIB = 1024

describe('the profile of a table', () => {
  it.each<[number | undefined, number]>([
    [undefined, 16],
    [0, 16],
    [32_768_000_000, 16],
    [32_768_000_001, 32],
    [65_536_000_001, 64],
    [1e12, 512],
    [2e12, 1024],
    [1e15, 1024],
  ])('of %s bytes cuts to %i KiB', (size, kib) => {
    const profile = tableProfileFor(TABLE_PROFILE, size)
    expect(profile).toEqual({ name: 'table', minBytes: kib * 256, avgBytes: kib * KIB, maxBytes: kib * 4 * KIB })
    expect(new Chunker(profile, gearTable(new Uint8Array(32)))).toBeDefined()
    if (size !== undefined && size <= 2e12) expect(size / profile.avgBytes).toBeLessThanOrEqual(2e6)
  })
})
