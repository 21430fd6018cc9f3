/** Where damage can strike: every object of a scene, and every part of its packs, each with the class it is of. */

import { treeRoot } from '../../../src/engine/snapshots/view.ts'
import { memoryTarget } from '../../../src/index.ts'
import { decodeDirectory, FOOTER_BYTES, findDirectory, PACK_HEADER_BYTES } from '../../../src/model/pack.ts'
import { decodeInner, openLeaf, type TreeRoot } from '../../../src/model/page.ts'
import { readStreams } from '../../../src/model/streams.ts'
import type { Repository } from '../../../src/repository/open.ts'
import { TransformRegistry } from '../../../src/transforms/registry.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import { ByteReader } from '../../../src/util/bytes.ts'
import { createOpener } from '../../../src/workers/segments/box.ts'
import { copyOf, openRecords, type Scene } from './scene.ts'

export const CLASSES = [
  'config',
  'key slot',
  'pack',
  'pack: header',
  'pack: content',
  'pack: list',
  'pack: pages',
  'pack: facts',
  'pack: directory',
  'pack: footer',
  'index fragment',
  'snapshot',
  'tombstone',
  'note',
  'ledger',
  'report',
  'run',
  'gc',
  'gc done',
  'trash',
] as const
export type ObjectClass = (typeof CLASSES)[number]

/** An object, or with `from` and `to` a part of one. */
export interface Place {
  cls: ObjectClass
  key: string
  from?: number
  to?: number
}

const MAX_RAW_BYTES = 16 * 2 ** 20

/** All of a scene, in an order of their own: by class, then as they were made. */
export async function placesOf(scene: Scene): Promise<Place[]> {
  const places: Place[] = []
  const all = new Map([...scene.objects, ...scene.leftovers])
  const parts = await partsOf(scene)
  const needed = new Set(parts.filter(({ cls }) => cls !== 'pack: directory').map(({ key }) => key))
  for (const key of all.keys()) {
    const cls = classOf(key, all.get(key)!)
    // Of a pack that nobody needs the next prune's column speaks.
    if (cls !== 'pack' || needed.has(key)) places.push({ cls, key })
  }
  places.push(...parts)
  return places.sort((a, b) => CLASSES.indexOf(a.cls) - CLASSES.indexOf(b.cls))
}

export function classOf(key: string, bytes: Uint8Array): ObjectClass {
  const area = key.slice(0, key.indexOf('/'))
  if (area === 'gc') return key.endsWith('.done') ? 'gc done' : 'gc'
  if (area === 'snapshots') return bytes.length < 400 ? 'tombstone' : 'snapshot'
  return AREAS[area]!
}

const AREAS: Readonly<Record<string, ObjectClass>> = {
  config: 'config',
  keys: 'key slot',
  packs: 'pack',
  index: 'index fragment',
  notes: 'note',
  state: 'ledger',
  reports: 'report',
  runs: 'run',
  trash: 'trash',
}

/** Segments by what they hold, and what stands around them, of all packs that a listed snapshot needs. */
async function partsOf(scene: Scene): Promise<Place[]> {
  const chunks = await Chunks.of(scene)
  const kinds = await kindsOf(scene, chunks)
  const places: Place[] = []
  for (const pack of chunks.packs) {
    const held = pack.segments.flatMap(({ ids, from, to }) => {
      const cls = ids.map((id) => kinds.get(id)).find((kind) => kind !== undefined)
      return cls === undefined ? [] : [{ cls, key: pack.key, from, to }]
    })
    if (held.length === 0) continue
    const { key, bytes, directory } = pack
    places.push({ cls: 'pack: header', key, from: 0, to: PACK_HEADER_BYTES }, ...held)
    places.push({ cls: 'pack: directory', key, from: directory.offset, to: directory.offset + directory.bytes })
    places.push({ cls: 'pack: footer', key, from: bytes.length - FOOTER_BYTES, to: bytes.length })
  }
  return places
}

interface PackParts {
  key: string
  bytes: Uint8Array
  directory: { offset: number; bytes: number }
  segments: { from: number; to: number; ids: string[] }[]
}

/** What the packs hold, by their own directories. */
class Chunks {
  readonly packs: PackParts[] = []
  readonly repository: Repository
  private readonly chunks = new Map<string, Buffer>()

  private constructor(repository: Repository) {
    this.repository = repository
  }

  static async of(scene: Scene): Promise<Chunks> {
    const target = memoryTarget()
    for (const [key, bytes] of copyOf(scene.objects)) await target.put(key, bytes as Uint8Array<ArrayBuffer>)
    const repository = await openRecords(target)
    const chunks = new Chunks(repository)
    for (const [key, bytes] of scene.objects) if (key.startsWith('packs/')) chunks.add(key, bytes)
    return chunks
  }

  get(id: Uint8Array | string): Buffer {
    const hex = typeof id === 'string' ? Buffer.from(id, 'base64url').toString('hex') : Buffer.from(id).toString('hex')
    const found = this.chunks.get(hex)
    if (!found) throw new Error(`the scene has no chunk ${hex}`)
    return found
  }

  private add(key: string, bytes: Uint8Array): void {
    const { repositoryId, keyring } = this.repository
    const opener = createOpener({ keyring, repositoryId, transforms: new TransformRegistry([zstd()]) })
    const open = (at: number, cls: 'index' | 'content'): Uint8Array =>
      opener.open(bytes, at, { cls, maxRawBytes: MAX_RAW_BYTES }).raw.slice()
    const directory = findDirectory(bytes, bytes.length)
    const { segments, chunkRows } = decodeDirectory(open(directory.offset, 'index'))
    const rows = new ByteReader(chunkRows)
    const parts = segments.map(({ offset, storedBytes, chunks }) => {
      const raw = Buffer.from(open(offset, 'content'))
      const ids: string[] = []
      for (let i = 0, at = 0; i < chunks; i++) {
        const id = rows.raw(32).toString('hex')
        const length = rows.u32()
        ids.push(id)
        this.chunks.set(id, raw.subarray(at, at + length))
        at += length
      }
      return { from: offset, to: offset + storedBytes, ids }
    })
    this.packs.push({ key, bytes, directory, segments: parts })
  }
}

/** By chunk id in hex, of all chunks that listed snapshots need. */
async function kindsOf(scene: Scene, chunks: Chunks): Promise<Map<string, ObjectClass>> {
  const kinds = new Map<string, ObjectClass>()
  const note = (id: Uint8Array, kind: ObjectClass): void => {
    kinds.set(Buffer.from(id).toString('hex'), kind)
  }
  const visit = (root: TreeRoot): void => {
    note(root.id, 'pack: pages')
    if (root.level === 0) visitLeaf(chunks.get(root.id), note)
    else
      for (const child of decodeInner(chunks.get(root.id), root.level)) {
        if (root.level === 1) note(child.fingerprintId, 'pack: pages')
        visit({ ...child, level: root.level - 1 })
      }
  }
  for (const id of scene.snapshots.keys()) {
    const { record } = await chunks.repository.snapshots.get(id)
    for (const source of record.sources) {
      if (source.factsRef) note(Buffer.from(source.factsRef.id, 'base64url'), 'pack: facts')
      visit(treeRoot(source)!)
    }
  }
  return kinds
}

function visitLeaf(page: Uint8Array, note: (id: Uint8Array, kind: ObjectClass) => void): void {
  const { records, entries } = openLeaf(page)
  for (let i = 0; i < entries; i++) {
    records.raw(records.varint())
    for (const { level, refs } of readStreams(new ByteReader(records.raw(records.varint())))) {
      for (const { id } of refs) if (id) note(id, level > 0 ? 'pack: list' : 'pack: content')
    }
  }
}
