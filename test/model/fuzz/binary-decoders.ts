/** Decoders of boxes, packs, fragments, pages and what is in them. */
import { Keyring } from '../../../src/crypto/keyring.ts'
import { decodeBoxHeader } from '../../../src/model/box.ts'
import { MetaPeek, peekPath, readMeta, writeMeta } from '../../../src/model/entry.ts'
import { BatchReader, BatchWriter } from '../../../src/model/entry-batch.ts'
import { decodeFragment, encodeFragment } from '../../../src/model/fragment.ts'
import { decodeLedger, encodeLedger } from '../../../src/model/ledger.ts'
import {
  CHUNK_ROW_BYTES,
  decodeDirectory,
  encodeDirectory,
  FOOTER_BYTES,
  findDirectory,
  PACK_HEADER_BYTES,
  readFooter,
  writeFooter,
  writePackHeader,
} from '../../../src/model/pack.ts'
import { decodeInner, encodeInner, openLeaf, writeLeafHeader } from '../../../src/model/page.ts'
import { decodeList, encodeList, readStreams, writeStreams } from '../../../src/model/streams.ts'
import { gzip } from '../../../src/transforms/gzip.ts'
import { TransformRegistry } from '../../../src/transforms/registry.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import { ByteReader, ByteWriter } from '../../../src/util/bytes.ts'
import { writeRecord } from '../../../src/workers/ingest/service.ts'
import { createOpener, createSealer } from '../../../src/workers/segments/box.ts'
import { bindingOf, CHECKSUM_BYTES, checksum } from '../../../src/workers/segments/box-steps.ts'
import type { Decoder } from './run.ts'

const REPOSITORY = 'ab'.repeat(16)
const id = new Uint8Array(32).fill(7)
const content = new TextEncoder().encode('what is in a box, '.repeat(60))
const encrypted = Keyring.fromPlain({ encrypted: true, root: id, epochs: [{ n: 1, secret: id }] })
const unencrypted = Keyring.none(REPOSITORY)
const MAX_RAW_BYTES = 64 * 1024

function sealed(keyring: Keyring, transforms = [zstd()]): Uint8Array {
  return createSealer({ keyring, repositoryId: REPOSITORY, transforms }).seal('content', content, { compress: true })
}

function opened(keyring: Keyring, bytes: Uint8Array): unknown {
  const transforms = new TransformRegistry([zstd(), gzip()])
  const opener = createOpener({ keyring, repositoryId: REPOSITORY, transforms })
  return opener.open(bytes, 0, { cls: 'content', maxRawBytes: MAX_RAW_BYTES, whole: true })
}

/** Nothing opens but what was sealed. */
function onlyItself(name: string, keyring: Keyring): Decoder {
  const sample = sealed(keyring)
  const decode = (bytes: Uint8Array): void => {
    opened(keyring, bytes)
    if (Buffer.compare(bytes, sample) !== 0) throw new Error('a changed box was opened')
  }
  return { name, samples: [sample], decode }
}

/** The checksum is made right, so that what is wrong reaches the transforms. */
function forged(bytes: Uint8Array): unknown {
  const { header, headerBytes } = decodeBoxHeader(bytes, 0)
  const end = headerBytes + header.storedBytes
  if (end <= bytes.length && header.storedBytes >= CHECKSUM_BYTES) {
    const aad = bindingOf(REPOSITORY)(undefined, bytes.subarray(0, headerBytes))
    bytes.set(checksum(aad, bytes.subarray(headerBytes, end - CHECKSUM_BYTES)), end - CHECKSUM_BYTES)
  }
  return opened(unencrypted, bytes)
}

function written(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter()
  write(out)
  return out.copy()
}

function samplePack(): Uint8Array {
  const pack = new Uint8Array(PACK_HEADER_BYTES + 200 + FOOTER_BYTES)
  writePackHeader(pack, id)
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

/** Reads a leaf as walks do. */
function walkLeaf(bytes: Uint8Array): void {
  const { records, entries } = openLeaf(bytes)
  for (let i = 0; i < entries; i++) {
    const meta = records.raw(records.varint())
    readMeta(new ByteReader(meta))
    readStreams(new ByteReader(records.raw(records.varint())))
  }
}

const meta = {
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
}

function peeked(bytes: Uint8Array): void {
  new MetaPeek().read(new ByteReader(bytes))
  peekPath(new ByteReader(bytes))
}

function sampleBatch(): Uint8Array {
  const writer = new BatchWriter()
  writer.add(meta, 1, 5n, 6n)
  writer.add({ path: 'a/c', type: 1 }, 0, 0n, 0n)
  return writer.take('', 0).metas
}

function readBatch(metas: Uint8Array): void {
  const fingerprints = new Uint8Array(32)
  const batch = { count: 2, metas, fingerprints, flags: new Uint8Array(2), root: '', prefixBytes: 0, follow: false }
  const reader = new BatchReader({ ...batch, contentBytes: 0 } as ConstructorParameters<typeof BatchReader>[0])
  reader.take()
  reader.take()
}

const child = { firstPath: 'a/b', id, pageBytes: 1000, fingerprintId: id, entries: 3, contentBytes: 2 ** 40 }
const refs = [
  { id, sizeBytes: 70_000, chunkBytes: 700 },
  { sizeBytes: 2 ** 40, chunkBytes: 0 },
]
const streams = [
  { name: 'main', level: 1, refs },
  { name: '', level: 0, refs },
]
const pack = { name: id, packBytes: 500, directory: sampleDirectory() }

export const BINARY_DECODERS: readonly Decoder[] = [
  { name: 'box header', samples: [sealed(encrypted)], decode: (bytes) => decodeBoxHeader(bytes, 0) },
  onlyItself('box, encrypted', encrypted),
  onlyItself('box, not encrypted', unencrypted),
  {
    name: 'box whose checksum was forged: zstd, gzip',
    samples: [sealed(unencrypted), sealed(unencrypted, [gzip()])],
    decode: forged,
  },
  { name: 'pack footer', samples: [samplePack()], decode: readFooter },
  { name: 'pack footer, from its tail', samples: [samplePack()], decode: (bytes) => findDirectory(bytes, 10_000) },
  { name: 'pack directory', samples: [sampleDirectory()], decode: decodeDirectory },
  {
    name: 'index fragment',
    samples: [encodeFragment({ runId: 'run', packs: [pack] }, id)],
    decode: decodeFragment,
  },
  { name: 'leaf page', samples: [sampleLeaf()], decode: walkLeaf },
  { name: 'inner page', samples: [encodeInner([child, child], 1).copy()], decode: (bytes) => decodeInner(bytes, 1) },
  { name: 'chunk list', samples: [encodeList(refs, 1).copy()], decode: (bytes) => decodeList(bytes, 1) },
  {
    name: 'entry',
    samples: [written((out) => writeMeta(out, meta))],
    decode: (bytes) => readMeta(new ByteReader(bytes)),
  },
  { name: 'entry, in passing', samples: [written((out) => writeMeta(out, meta))], decode: peeked },
  { name: 'batch of entries', samples: [sampleBatch()], decode: readBatch },
  {
    name: 'streams of an entry',
    samples: [written((out) => writeStreams(out, streams))],
    decode: (bytes) => readStreams(new ByteReader(bytes)),
  },
  { name: 'ledger', samples: [encodeLedger(new Map([['ab'.repeat(16), 5000]]))], decode: decodeLedger },
]
