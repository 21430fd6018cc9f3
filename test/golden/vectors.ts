/** Everything whose bytes are fixed by the format and does not depend on random salts, from fixed keys. */
import { Chunker } from '../../src/chunking/chunker.ts'
import { gearTable } from '../../src/chunking/gear.ts'
import { deriveSegmentKey, mac, seal, ZERO_NONCE } from '../../src/crypto/aead.ts'
import { createIdHasher } from '../../src/crypto/chunk-id.ts'
import { sealNextEpoch } from '../../src/crypto/epoch-seal.ts'
import { hex, sha256Hex } from '../../src/crypto/hash.ts'
import { derivePassphraseKey } from '../../src/crypto/kdf.ts'
import { type KeyClass, Keyring } from '../../src/crypto/keyring.ts'
import { RecipientKey } from '../../src/crypto/recipient.ts'
import { encodeRecoveryKey } from '../../src/crypto/recovery-key.ts'
import { type BoxHeader, boxHeaderBytes, encodeBoxHeader, WRAP } from '../../src/model/box.ts'
import { type EntryMeta, withXattrs, writeMeta } from '../../src/model/entry.ts'
import { encodeFragment } from '../../src/model/fragment.ts'
import { segmentOfId } from '../../src/model/ids.ts'
import { encodeDirectory, FOOTER_BYTES, PACK_HEADER_BYTES, writeFooter, writePackHeader } from '../../src/model/pack.ts'
import { encodeInner, type PageRef } from '../../src/model/page.ts'
import { encodeList, writeStreams } from '../../src/model/streams.ts'
import { ByteWriter } from '../../src/util/bytes.ts'
import { bindingOf, checksum } from '../../src/workers/segments/box-steps.ts'
import { writeRecord } from '../../src/workers/ingest/service.ts'
import { ListBuilder } from '../../src/workers/ingest/list-builder.ts'
import { hashPath, PageBuilder } from '../../src/workers/tree/page-builder.ts'
import { TINY_CHUNKS } from './tree.ts'

const REPOSITORY = '00112233445566778899aabbccddeeff'
const CLASSES: readonly KeyClass[] = ['ids', 'chunking', 'index', 'control', 'content', 'snapshots']
const text = new TextEncoder()

/** `length` bytes that count up from `from`, modulo 251. */
function counted(length: number, from = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i + from) % 251)
}

/** xorshift32 with a fixed seed. */
function seeded(length: number): Uint8Array<ArrayBuffer> {
  let state = 0x9e3779b9
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 9
  })
}

function ring(): Keyring {
  return Keyring.fromPlain({ encrypted: true, root: counted(32), epochs: [{ n: 1, secret: counted(32, 100) }] })
}

export async function makeVectors(): Promise<Record<string, unknown>> {
  return {
    keys: keys(),
    passphrase: hex(await derivePassphraseKey('correct horse', counted(32), { N: 2 ** 15, r: 1, p: 1 }, 64)),
    recovery: encodeRecoveryKey(counted(32)),
    epoch: epoch(),
    segments: ['nightly.7', 'Nightly/7', '_', 'a_b', '.x', '~'].map(segmentOfId),
    chunkIds: chunkIds(),
    cuts: cuts(),
    paths: paths(),
    box: box(),
    records: records(),
    packs: packs(),
    built: built(),
  }
}

function keys() {
  const of = (keyring: Keyring, epoch: number) =>
    Object.fromEntries(CLASSES.map((cls) => [cls, hex(keyring.classKey(cls, epoch))]))
  const { key, commitment } = deriveSegmentKey(counted(32), counted(32, 50))
  return {
    encrypted: of(ring(), 1),
    none: of(Keyring.none(REPOSITORY), 0),
    bundle: hex(ring().encode()),
    segmentKey: hex(key),
    segmentCommitment: hex(commitment),
    mac: hex(mac(counted(32), text.encode('one'), text.encode(''), text.encode('three'))),
  }
}

/** Epoch 2, as the config says it that begins it, for one slot. */
function epoch() {
  const slot = '0123456789abcdef0123456789abcdef'
  const { publicKey } = RecipientKey.from(counted(32, 150))
  const next = sealNextEpoch(
    ring(),
    REPOSITORY,
    new Map([[slot, publicKey]]),
    counted(32, 10),
    RecipientKey.from(counted(32, 200)),
  )
  if ('badSlot' in next) throw new Error(next.badSlot)
  const { ephemeral, sealed } = next.sealed
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return {
    repositoryId: REPOSITORY,
    slot,
    config: {
      slots: { [slot]: { publicKey: base64(publicKey) } },
      rotation: { ephemeral: base64(ephemeral), sealed: { [slot]: base64(sealed.get(slot)!) } },
    },
  }
}

function chunkIds() {
  const key = ring().idsKey
  const ids = (algorithm: 'hmac-sha256' | 'hmac-sha512-256') =>
    [0, 1, 63, 64, 1000, 100_000].map((length) => hex(createIdHasher(algorithm, key).id(counted(length), 0, length)))
  return { 'hmac-sha256': ids('hmac-sha256'), 'hmac-sha512-256': ids('hmac-sha512-256') }
}

function cuts() {
  const gear = gearTable(ring().chunkingKey)
  const profiles = { tiny: TINY_CHUNKS, table: { minBytes: 4096, avgBytes: 16_384, maxBytes: 65_536 } }
  const content = seeded(300_000)
  const lengths = Object.entries(profiles).map(([name, profile]) => {
    const chunker = new Chunker({ name, ...profile }, gear)
    const found: number[] = []
    for (let at = 0; at < content.length; at += found.at(-1)!)
      found.push(chunker.cut(content, at, content.length, true))
    return [name, { first: found.slice(0, 12), chunks: found.length, all: sha256Hex(text.encode(found.join(','))) }]
  })
  return {
    gear: sha256Hex(new Uint8Array(gear.buffer)),
    gearStart: [...gear.slice(0, 4)],
    ...Object.fromEntries(lengths),
  }
}

function paths() {
  const gear = gearTable(ring().chunkingKey)
  return Object.fromEntries(['', 'a', 'a/b', 'caf\xe9', 'x'.repeat(300)].map((path) => [path, hashPath(path, gear)]))
}

function header(over: Partial<BoxHeader>): { bytes: Uint8Array<ArrayBuffer>; header: BoxHeader } {
  const full: BoxHeader = {
    wrapType: WRAP.epoch,
    wrapData: new Uint8Array(0),
    epoch: 1,
    cls: 'content',
    transforms: ['zstd', 'aes-256-gcm'],
    salt: counted(32),
    commitment: counted(32, 32),
    rawBytes: 1000,
    storedBytes: 116,
    padBytes: 0,
    ...over,
  }
  const bytes = new Uint8Array(boxHeaderBytes(full))
  encodeBoxHeader(full, bytes, 0)
  return { bytes, header: full }
}

function box() {
  const sealed = header({ cls: 'snapshots', transforms: ['aes-256-gcm'], padBytes: 7 })
  const open = header({ wrapType: WRAP.none, epoch: 0, transforms: ['gzip'], commitment: new Uint8Array(32) })
  const aad = bindingOf(REPOSITORY)
  return {
    header: hex(sealed.bytes),
    headerNotEncrypted: hex(open.bytes),
    aadOfRecord: hex(aad('snapshots/x', sealed.bytes)),
    aadOfSegment: hex(aad(undefined, open.bytes)),
    sealed: hex(seal(counted(32), ZERO_NONCE, aad('snapshots/x', sealed.bytes), counted(20))),
    checksum: hex(checksum(aad(undefined, open.bytes), counted(20))),
  }
}

const META: EntryMeta = {
  path: 'odd/caf\xe9',
  type: 0,
  mode: 0o644,
  uid: 1000,
  gid: 100,
  mtimeNs: 1_767_323_045_678_901_234n,
  sizeBytes: 5_000_000_000,
  linkTarget: '../x',
  linkGroup: '801:2a',
  attributes: { 'holdfast.type': 'thing', n: 1 },
}
const XATTRS = { 'system.posix_acl_default': 'AgAAAAEABwD/////', 'user.empty': '', 'user.\udcff': 'AA==' }
/** As much as there is room for in 1 MiB of JSON. */
const LARGEST = withXattrs({ path: 'd', type: 0 }, { 'user.large': Buffer.from(counted(786_330)).toString('base64') })
const REFS = [
  { id: counted(32), sizeBytes: 1000, chunkBytes: 1000 },
  { sizeBytes: 2 ** 33, chunkBytes: 0 },
]
const LIST_REFS = [{ id: counted(32, 7), sizeBytes: 2 ** 40, chunkBytes: 5000 }]
const CHILD: PageRef = {
  firstPath: 'a/\xff',
  id: counted(32),
  pageBytes: 30_000,
  fingerprintId: counted(32, 99),
  entries: 256,
  contentBytes: 2 ** 41,
}

function records() {
  const streams = [
    { name: '', level: 0, refs: REFS },
    { name: 'xattr:user.x', level: 1, refs: LIST_REFS },
  ]
  return {
    metaFull: written((out) => writeMeta(out, META)),
    metaLeast: written((out) => writeMeta(out, { path: 'd', type: 1 })),
    metaXattrs: written((out) => writeMeta(out, withXattrs({ path: 'd', type: 5, attributes: { n: 1 } }, XATTRS))),
    metaXattrsLargest: sha256Hex(Buffer.from(written((out) => writeMeta(out, LARGEST)), 'hex')),
    metaBefore1970: written((out) => writeMeta(out, { path: 'd', type: 1, mtimeNs: -1n })),
    streams: written((out) => writeStreams(out, streams)),
    record: written((out) => writeRecord(out, META, streams)),
    list: hex(encodeList(REFS, 0).view()),
    listOfLists: hex(encodeList(LIST_REFS, 1).view()),
    inner: hex(encodeInner([CHILD, { ...CHILD, firstPath: 'b', fingerprintId: new Uint8Array(32) }], 2).view()),
  }
}

function written(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter()
  write(out)
  return hex(out.view())
}

function packs() {
  const chunkRows = Buffer.concat([counted(32), u32(600), counted(32, 40), u32(400), counted(32, 80), u32(7)])
  const segments = [
    { offset: 40, storedBytes: 500, rawBytes: 1000, chunks: 2 },
    { offset: 540, storedBytes: 130, rawBytes: 7, chunks: 1 },
  ]
  const directory = encodeDirectory({ kind: 'tree', segments, chunkRows })
  const head = new Uint8Array(PACK_HEADER_BYTES)
  writePackHeader(head, counted(32))
  const foot = new Uint8Array(FOOTER_BYTES)
  writeFooter(foot, 0, 670, 300)
  const facts = { name: counted(32, 9), packBytes: 994, directory }
  return {
    header: hex(head),
    footer: hex(foot),
    directory: hex(directory),
    directoryOfContent: hex(encodeDirectory({ kind: 'content', segments: [], chunkRows: Buffer.alloc(0) })),
    fragment: hex(encodeFragment({ runId: 'run-1', packs: [facts] }, counted(32, 3))),
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Boundaries of pages and lists: what a writer of this version makes of a given tree. No reader may rely on them. */
function built() {
  const hasher = createIdHasher('hmac-sha256', ring().idsKey)
  const sizes: number[] = []
  const sink = {
    put(buffer: Uint8Array, start: number, end: number) {
      sizes.push(end - start)
      return hasher.id(buffer, start, end)
    },
  }
  const pages = new PageBuilder(sink, gearTable(ring().chunkingKey))
  for (let i = 0; i < 3000; i++) {
    const path = `folder/${String(i).padStart(5, '0')}`
    const out = new ByteWriter()
    writeRecord(out, { path, type: 0, mode: 0o644, sizeBytes: i }, [{ name: '', level: 0, refs: REFS.slice(0, 1) }])
    pages.add(path, out.copy(), counted(16, i), 0, i)
  }
  const root = pages.finish()!
  const tree = {
    id: hex(root.id),
    bytes: root.pageBytes,
    level: root.level,
    entries: root.entries,
    chunks: sizes.splice(0),
  }
  const list = new ListBuilder(sink)
  for (let i = 0; i < 3000; i++) {
    const id = hasher.id(counted(4, i), 0, 1 + (i % 4))
    list.add({ id: Uint8Array.from(id, (byte, k) => (k === 31 ? i % 256 : byte)), sizeBytes: 500, chunkBytes: 500 })
  }
  const { level, refs } = list.finish('')
  return { tree, list: { level, refs: refs.map(({ id, ...rest }) => ({ id: hex(id!), ...rest })), chunks: sizes } }
}
