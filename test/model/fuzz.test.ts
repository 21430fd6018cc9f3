/** Decoders of everything that is stored, given anything: MalformedBytes or a value, at once and within bounds. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readMeta, writeMeta } from '../../src/model/entry.ts'
import { decodeFragment, encodeFragment } from '../../src/model/fragment.ts'
import {
  CHUNK_ROW_BYTES,
  decodeDirectory,
  encodeDirectory,
  FOOTER_BYTES,
  PACK_HEADER_BYTES,
  readFooter,
  writeFooter,
  writePackHeader,
} from '../../src/model/pack.ts'
import { decodeInner, encodeInner, openLeaf, writeLeafHeader } from '../../src/model/page.ts'
import { decodeList, encodeList, readStreams, writeStreams } from '../../src/model/streams.ts'
import { ByteReader, ByteWriter, MalformedBytes } from '../../src/util/bytes.ts'
import { writeRecord } from '../../src/workers/ingest/service.ts'
import { patience } from '../patience.ts'

const id = new Uint8Array(32).fill(7)

function samplePack(): Uint8Array {
  const pack = new Uint8Array(PACK_HEADER_BYTES + 200 + FOOTER_BYTES)
  writePackHeader(pack, new Uint8Array(32).fill(3))
  writeFooter(pack, PACK_HEADER_BYTES + 200, PACK_HEADER_BYTES + 100, 100)
  return pack
}

function sampleDirectory(): Uint8Array {
  const chunkRows = Buffer.alloc(3 * CHUNK_ROW_BYTES, 9)
  for (let i = 0; i < 3; i++) chunkRows.writeUInt32LE(100, i * CHUNK_ROW_BYTES + 32)
  const segments = [
    { offset: 40, storedBytes: 90, rawBytes: 200, chunks: 2 },
    { offset: 130, storedBytes: 80, rawBytes: 100, chunks: 1 },
  ]
  return encodeDirectory({ kind: 'content', segments, chunkRows })
}

function written(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter()
  write(out)
  return out.copy()
}

function sampleLeaf(): Uint8Array {
  return written((out) => {
    out.reserve(8)
    for (const path of ['a', 'b/c']) {
      const stream = { name: '', level: 0, refs: [{ id, sizeBytes: 5, chunkBytes: 5 }] }
      writeRecord(out, { path, type: 0, mtimeNs: 5n, sizeBytes: 5 }, [stream])
    }
    writeLeafHeader(out.bytes, 2)
  })
}

/** Reads a leaf as a walk does. */
function walkLeaf(bytes: Uint8Array): number {
  const { records, entries } = openLeaf(bytes)
  for (let i = 0; i < entries; i++) {
    const meta = records.raw(records.varint())
    const streams = records.raw(records.varint())
    readMeta(new ByteReader(meta))
    readStreams(new ByteReader(streams))
  }
  return entries
}

const child = { firstPath: 'a/b', id, pageBytes: 1000, fingerprintId: id, entries: 3, contentBytes: 2 ** 40 }
const refs = [
  { id, sizeBytes: 70_000, chunkBytes: 700 },
  { sizeBytes: 2 ** 40, chunkBytes: 0 },
]

const DECODERS: Record<string, { decode: (bytes: Uint8Array) => unknown; sample: Uint8Array }> = {
  decodeDirectory: { decode: decodeDirectory, sample: sampleDirectory() },
  readFooter: { decode: readFooter, sample: samplePack() },
  decodeFragment: {
    decode: decodeFragment,
    sample: encodeFragment({ runId: 'run', packs: [{ name: id, packBytes: 500, directory: sampleDirectory() }] }, id),
  },
  'a leaf': { decode: walkLeaf, sample: sampleLeaf() },
  decodeInner: { decode: (bytes) => decodeInner(bytes, 1), sample: encodeInner([child, child], 1).copy() },
  decodeList: { decode: (bytes) => decodeList(bytes, 1), sample: encodeList(refs, 1).copy() },
  readMeta: {
    decode: (bytes) => readMeta(new ByteReader(bytes)),
    sample: written((out) =>
      writeMeta(out, {
        path: 'a/b',
        type: 2,
        mode: 0o777,
        uid: 1,
        gid: 2,
        mtimeNs: -5n,
        sizeBytes: 3,
        linkTarget: 'x',
        linkGroup: 'y',
        attributes: { a: [1, { b: null }] },
      }),
    ),
  },
  readStreams: {
    decode: (bytes) => readStreams(new ByteReader(bytes)),
    sample: written((out) =>
      writeStreams(out, [
        { name: 'main', level: 1, refs },
        { name: '', level: 0, refs },
      ]),
    ),
  },
}

/** Nothing but MalformedBytes, in next to no time. */
function survives(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  const began = performance.now()
  try {
    decode(bytes)
    return true
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    return false
  } finally {
    const ms = performance.now() - began
    if (ms > 500) expect(ms).toBeLessThan(patience(500))
  }
}

for (const [name, { decode, sample }] of Object.entries(DECODERS)) {
  describe(name, () => {
    it('takes what was encoded', () => {
      expect(survives(decode, sample)).toBe(true)
    })

    it('refuses it cut short anywhere', () => {
      for (let length = 0; length < sample.length; length++)
        expect(survives(decode, sample.slice(0, length))).toBe(false)
    })

    it('survives any flipped bit, and any byte that is 0, 127, 128 or 255', () => {
      for (let at = 0; at < sample.length; at++) {
        for (let bit = 0; bit < 8; bit++) survives(decode, sample.with(at, sample[at]! ^ (1 << bit)))
        for (const value of [0, 127, 128, 255]) survives(decode, sample.with(at, value))
      }
    })

    it('survives any four bytes that are the largest number', () => {
      for (let at = 0; at + 4 <= sample.length; at++) {
        const bytes = new Uint8Array(sample)
        bytes.fill(0xff, at, at + 4)
        survives(decode, bytes)
      }
    })

    it('survives anything, also after a true beginning', () => {
      const garbage = fc.uint8Array({ maxLength: 300 })
      fc.assert(
        fc.property(fc.nat({ max: sample.length }), garbage, (kept, rest) => {
          survives(decode, rest)
          survives(decode, Uint8Array.from([...sample.subarray(0, kept), ...rest]))
        }),
        { numRuns: 500 },
      )
    })

    it('allocates no more than the bytes are worth', () => {
      const before = process.memoryUsage().arrayBuffers
      for (let at = 0; at < sample.length; at++) {
        const bytes = new Uint8Array(sample)
        bytes.fill(0x7f, at, at + 8)
        survives(decode, bytes)
      }
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
    })
  })
}
