import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PackFacts } from '../../../src/model/fragment.ts'
import { CHUNK_ROW_BYTES, encodeDirectory, type SegmentRow } from '../../../src/model/pack.ts'
import { ChunkIndex, ChunkTable, type ChunkTablePlain } from '../../../src/workers/chunks/chunk-index.ts'
import { TableBuilder } from '../../../src/workers/chunks/table-builder.ts'

/** Packs as lists of segments as lists of chunk numbers; a chunk's number says its id and its length. */
type Packs = readonly (readonly (readonly number[])[])[]

const idOf = (chunk: number): Uint8Array => new Uint8Array(32).fill(chunk % 256).fill(chunk >> 8, 16)
const lengthOf = (chunk: number): number => chunk * 3 + 1
const nameOf = (pack: number): Uint8Array => new Uint8Array(32).fill(pack + 1)
const hexOf = (pack: number): string => Buffer.from(nameOf(pack)).toString('hex')

function factsOf(segments: Packs[number], pack: number): PackFacts {
  const chunks = segments.flat()
  const chunkRows = Buffer.alloc(chunks.length * CHUNK_ROW_BYTES)
  chunks.forEach((chunk, i) => {
    chunkRows.set(idOf(chunk), i * CHUNK_ROW_BYTES)
    chunkRows.writeUInt32LE(lengthOf(chunk), i * CHUNK_ROW_BYTES + 32)
  })
  let offset = 40
  const rows: SegmentRow[] = segments.map((each) => {
    const rawBytes = each.reduce((sum, chunk) => sum + lengthOf(chunk), 0)
    const row = { offset, storedBytes: rawBytes + 100, rawBytes, chunks: each.length }
    offset += row.storedBytes
    return row
  })
  return {
    name: nameOf(pack),
    packBytes: offset + 500,
    directory: encodeDirectory({ kind: 'content', segments: rows, chunkRows }),
  }
}

function build(packs: readonly PackFacts[], maxChunks = 5000): ChunkTablePlain[] {
  const builder = new TableBuilder(maxChunks)
  for (const pack of packs) builder.add(pack)
  return builder.finish()
}

const chunk = fc.integer({ min: 0, max: 600 })
const packs = fc.array(fc.array(fc.array(chunk, { maxLength: 12 }), { maxLength: 5 }), { maxLength: 6 })

describe('the chunk index', () => {
  it('says of each chunk where it is, and of others that it is nowhere', () => {
    fc.assert(
      fc.property(packs, fc.integer({ min: 0, max: 6 }), (all: Packs, split) => {
        const facts = all.map(factsOf)
        const tables = [facts.slice(0, split), facts.slice(split)].flatMap((part) => build(part))
        const index = new ChunkIndex(tables)
        for (let n = 0; n <= 600; n++) {
          const isThere = all.flat(2).includes(n)
          expect(index.has(idOf(n))).toBe(isThere)
          const found = index.find(idOf(n))
          expect(found !== undefined).toBe(isThere)
          if (!found) continue
          const pack = all.findIndex((_, i) => hexOf(i) === found.pack)
          const segments = all[pack]!
          let offset = 40
          const segment = segments.find((each) => {
            if (offset === found.segmentOffset) return true
            offset += each.reduce((sum, one) => sum + lengthOf(one), 0) + 100
            return false
          })!
          const places = segment.flatMap((one, i) =>
            one === n ? [segment.slice(0, i).reduce((sum, each) => sum + lengthOf(each), 0)] : [],
          )
          expect(places).toContain(found.offset)
          expect(found).toMatchObject({ length: lengthOf(n), storedBytes: found.rawBytes + 100 })
        }
      }),
      { numRuns: 60 },
    )
  })

  it('leaves packs out that are absent, in all tables, for good', () => {
    fc.assert(
      fc.property(packs, fc.array(fc.integer({ min: 0, max: 5 })), (all: Packs, absent) => {
        const facts = all.map(factsOf)
        const index = new ChunkIndex(build(facts))
        const shared = new ChunkIndex(index.tables.map(({ plain }) => plain))
        index.tables[0]?.markAbsent(new Set(absent.map(hexOf)))
        const live = all.filter((_, pack) => !absent.includes(pack)).flat(2)
        // Another thread's view of the same memory sees it too.
        for (const each of [index, shared])
          for (const n of all.flat(2)) expect(each.has(idOf(n))).toBe(live.includes(n))
        for (const n of live) expect(absent.map(hexOf)).not.toContain(index.find(idOf(n))!.pack)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps writers from packs that a prune has named, and lets readers read them', () => {
    const pack = factsOf([[1, 2]], 0)
    const index = new ChunkIndex(build([pack]))
    index.tables[0]!.markCondemned(new Set([hexOf(0)]))
    expect([index.has(idOf(1)), index.find(idOf(1))?.pack]).toEqual([false, hexOf(0)])
    index.tables[0]!.markAbsent(new Set([hexOf(0)]))
    index.tables[0]!.markCondemned(new Set([hexOf(0)]))
    expect([index.has(idOf(1)), index.tables[0]!.findLive(idOf(1))]).toEqual([false, -1])
    // The last resort of a reader that has no other table.
    expect(index.find(idOf(1))?.pack).toBe(hexOf(0))
  })

  it('costs less than 70 bytes a chunk', () => {
    const facts = Array.from({ length: 20 }, (_, pack) =>
      factsOf(
        Array.from({ length: 4 }, () => Array.from({ length: 500 }, (_x, i) => i)),
        pack,
      ),
    )
    const table = new ChunkTable(build(facts, 40_000)[0]!)
    expect(table.sizeBytes / table.chunks).toBeLessThan(70)
  })

  it('goes on in a further table where there are more than were expected, and takes each pack once', () => {
    const facts = Array.from({ length: 2000 }, (_, pack) => ({
      ...factsOf([[pack % 600, 1], [2]], 0),
      name: Buffer.alloc(32, `pack ${pack};`),
    }))
    const tables = build([...facts, ...facts], 2000).map((plain) => new ChunkTable(plain))
    expect(tables.length).toBeGreaterThan(1)
    expect(tables.reduce((sum, table) => sum + table.chunks, 0)).toBe(6000)
    const names = tables.flatMap((table) => Array.from({ length: table.packCount }, (_, pack) => table.packName(pack)))
    expect(names).toEqual(facts.map(({ name }) => name.toString('hex')))
    expect(tables[1]!.segmentsOf(3)).toMatchObject([{ chunks: 2 }, { chunks: 1 }])
  })
})
