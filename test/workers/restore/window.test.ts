import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type EntryMeta, TYPE_FILE } from '../../../src/model/entry.ts'
import type { ChunkIndex, Location } from '../../../src/workers/chunks/chunk-index.ts'
import { decodeJobBody } from '../../../src/workers/restore/job.ts'
import { WindowBuilder } from '../../../src/workers/restore/window.ts'

/** A chunk's number says its segment and its place there; `null` is a hole. */
type Chunk = number | null
const CHUNKS_PER_SEGMENT = 4
const SEGMENTS_PER_PACK = 5
const CHUNK_BYTES = 400_000
const STORED_BYTES = 1_000_000
/** Of the first file, so that numbers are not rows. */
const FIRST = 70

const idOf = (chunk: number): Buffer => Buffer.alloc(32, chunk)
const metaOf = (file: number): EntryMeta => ({ type: TYPE_FILE, path: `f${file}`, sizeBytes: file, mtimeNs: 5n })

function locationOf(chunk: number): Location {
  const segment = Math.floor(chunk / CHUNKS_PER_SEGMENT)
  const rawBytes = CHUNK_BYTES * CHUNKS_PER_SEGMENT
  return {
    pack: `${Math.floor(segment / SEGMENTS_PER_PACK)}`,
    packBytes: 0,
    segmentOffset: 100 + (segment % SEGMENTS_PER_PACK) * STORED_BYTES,
    storedBytes: STORED_BYTES,
    rawBytes,
    offset: (chunk % CHUNKS_PER_SEGMENT) * CHUNK_BYTES,
    length: CHUNK_BYTES,
    segmentKey: 2 ** 33 + segment,
  }
}
const index = { find: (id: Uint8Array) => locationOf(id[0]!) } as unknown as ChunkIndex

const files = fc.array(
  fc.record({
    chunks: fc.array(fc.option(fc.nat({ max: 59 }), { freq: 8 }), { minLength: 1, maxLength: 6 }),
    split: fc.boolean(),
  }),
  { maxLength: 12 },
)

function pieceOf(chunk: number, position: number): object {
  const { pack, segmentOffset, offset, length } = locationOf(chunk)
  return { at: `${pack}+${segmentOffset}`, offset, length, position, id: chunk }
}

function expectedOf(chunks: readonly Chunk[]): object[] {
  return chunks.flatMap((chunk, i) => (chunk === null ? [] : [pieceOf(chunk, i * CHUNK_BYTES)]))
}

it('a window says of each piece of each file where it is, once, and which files one job alone can write', () => {
  fc.assert(
    fc.property(files, (all) => {
      const window = new WindowBuilder(index)
      for (const [i, { chunks, split }] of all.entries()) {
        window.openFile(FIRST + i, metaOf(FIRST + i), false)
        for (const [n, id] of chunks.entries()) {
          const ref = { id: id === null ? undefined : idOf(id), sizeBytes: CHUNK_BYTES, chunkBytes: 0 }
          window.addRef(FIRST + i, ref as Parameters<typeof window.addRef>[1], n * CHUNK_BYTES)
        }
        if (split) window.markSplit(FIRST + i)
      }
      const numbers = all.map((_, i) => FIRST + i)
      const { jobs, begins, complete } = window.build(numbers, new Set([FIRST]), true)

      const found = new Map<number, object[]>()
      const writers = new Map<number, number>()
      const wholes = new Set<number>()
      for (const { pack, start, body, parts, wholeFiles, wholeBytes, partBytes } of jobs) {
        const job = decodeJobBody(body)
        const place = (file: number, pieces: (typeof job.parts)[number]['pieces']): void => {
          const rows = pieces.map(({ segment, offset, length, position, id }) => {
            return { at: `${pack}+${start + job.segments[segment]!.at}`, offset, length, position, id: id[0]! }
          })
          found.set(file, [...(found.get(file) ?? []), ...rows])
          writers.set(file, (writers.get(file) ?? 0) + 1)
        }
        for (const { meta, pieces } of job.whole) {
          const file = Number(meta.path.slice(1))
          expect(meta).toEqual(metaOf(file))
          expect(pieces.map(({ position }) => position)).toEqual(
            pieces.map(({ position }) => position).sort((a, b) => a - b),
          )
          wholes.add(file)
          place(file, pieces)
        }
        for (const { file, sparse, pieces } of job.parts) {
          expect(sparse).toBe(all[file - FIRST]!.chunks.includes(null))
          place(file, pieces)
        }
        expect(parts).toEqual(job.parts.map(({ file }) => file))
        const bytes = (lists: { pieces: { length: number }[] }[]): number =>
          lists.flatMap(({ pieces }) => pieces).reduce((sum, { length }) => sum + length, 0)
        expect([wholeFiles, wholeBytes, partBytes]).toEqual([job.whole.length, bytes(job.whole), bytes(job.parts)])
      }

      const byPosition = (a: object, b: object) =>
        (a as { position: number }).position - (b as { position: number }).position
      const scattered = numbers.filter((file) => {
        const { chunks, split } = all[file - FIRST]!
        expect((found.get(file) ?? []).sort(byPosition)).toEqual(expectedOf(chunks))
        const isScattered = split || chunks.includes(null) || writers.get(file)! > 1
        expect(wholes.has(file)).toBe(!isScattered)
        return isScattered
      })
      expect(begins).toEqual(scattered.filter((file) => file !== FIRST).map((file) => ({ file, meta: metaOf(file) })))
      expect(complete).toEqual(numbers.filter((file) => file === FIRST || scattered.includes(file)))
    }),
  )
})

it('a window of many files grows with them', () => {
  const window = new WindowBuilder(index)
  const count = 3000
  for (let file = 0; file < count; file++) {
    window.openFile(file, metaOf(file), false)
    window.addRef(
      file,
      { id: idOf(file % 60), sizeBytes: CHUNK_BYTES, chunkBytes: 0 } as Parameters<typeof window.addRef>[1],
      0,
    )
  }
  const { jobs } = window.build([], new Set(), true)
  const paths = jobs.flatMap(({ body }) => decodeJobBody(body).whole.map(({ meta }) => meta.path))
  expect(paths.sort()).toEqual(Array.from({ length: count }, (_, file) => `f${file}`).sort())
})
