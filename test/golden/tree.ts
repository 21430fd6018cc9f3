/** What the golden repositories hold: a tree in two states, made from nothing but this file. */
import { createHash } from 'node:crypto'
import { linkSync, lutimesSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { defineSource, type Source, type SourceEntry } from '../../src/sources/source.ts'
import { latin1ToUser } from '../../src/util/paths.ts'

/** Paths and targets are latin1: one character a byte. */
interface Node {
  path: string
  type: 'file' | 'directory' | 'symlink' | 'hardlink'
  content?: Buffer
  /** Of links. */
  to?: string
  mode?: number
}

/** What a reader must find. Paths as users see them. */
export interface Expected {
  path: string
  type: string
  size: number
  sha256?: string
  linkTarget?: string
  mode?: number
  modifiedAt?: string
}

export const FILES = 'tree'
export const RECORDS = 'records'
export const MODIFIED_AT = new Date('2026-01-02T03:04:05.500Z')

/** Chunks of 256 bytes on average, so that 60 KB have a chunk list; up to 64 KiB, so that runs of zeros become holes. */
export const TINY_CHUNKS = { algorithm: 'gear', minBytes: 64, avgBytes: 256, maxBytes: 65536 }

/** Text that compresses as text does: words by a small generator. */
function words(bytes: number, seed: number): Buffer {
  const list = 'backup chunk page entry pack segment index fragment snapshot note report run key epoch salt box'.split(
    ' ',
  )
  let state = seed
  let text = ''
  while (text.length < bytes) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    text += `${list[(state >>> 16) % list.length]}${(state >>> 20) % 1000}${(state >>> 9) % 7 === 0 ? '\n' : ' '}`
  }
  return Buffer.from(text.slice(0, bytes))
}

function noise(bytes: number): Buffer {
  const out = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 32) createHash('sha256').update(`noise ${at}`).digest().copy(out, at)
  return out
}

const LONG = words(24_000, 7)
/** A whole number of largest chunks, so that none is stored that is zeros for the most part. */
const ZEROS = Buffer.alloc(4 * TINY_CHUNKS.maxBytes)

function first(): Node[] {
  return [
    { path: 'a', type: 'directory', mode: 0o750 },
    { path: 'a/b', type: 'file', content: Buffer.from('below a folder\n') },
    { path: 'a b', type: 'file', content: Buffer.from('sorts after what is in the folder a\n') },
    { path: 'a.b', type: 'file', content: Buffer.from('so does this\n') },
    { path: 'changed', type: 'file', content: Buffer.from('as it was\n') },
    { path: 'empty', type: 'file', content: Buffer.alloc(0) },
    { path: 'empty-folder', type: 'directory' },
    { path: 'gone', type: 'file', content: Buffer.from('only in the first snapshot\n') },
    { path: 'hard-1', type: 'file', content: Buffer.from('one file, two names\n') },
    { path: 'hard-2', type: 'hardlink', to: 'hard-1' },
    { path: 'hole', type: 'file', content: Buffer.concat([ZEROS, Buffer.from('the end\n')]) },
    { path: 'hole-only', type: 'file', content: ZEROS },
    { path: 'long.txt', type: 'file', content: LONG },
    { path: 'noise.bin', type: 'file', content: noise(3000), mode: 0o600 },
    { path: 'odd', type: 'directory' },
    { path: 'odd/ leading and trailing ', type: 'file', content: Buffer.from('spaces\n') },
    { path: 'odd/-rf', type: 'file', content: Buffer.from('a dash\n') },
    { path: 'odd/back\\slash', type: 'file', content: Buffer.from('one segment\n') },
    { path: 'odd/caf\xe9', type: 'file', content: Buffer.from('not UTF-8\n') },
    { path: 'odd/new\nline', type: 'file', content: Buffer.from('a line feed\n') },
    { path: bytesOf('odd/名前 ü 🗄'), type: 'file', content: Buffer.from('several planes\n') },
    { path: 'to-long', type: 'symlink', to: 'long.txt' },
    { path: 'to-nowhere', type: 'symlink', to: '../not\xff/there' },
    ...Array.from({ length: 500 }, (_, i) => numbered(i)),
  ]
}

/** Enough entries for more than one leaf page. */
function numbered(i: number): Node {
  const path = `many-${String(i).padStart(3, '0')}`
  return { path, type: 'file', content: Buffer.from(i % 3 === 0 ? `number ${i % 9}` : '') }
}

function second(): Node[] {
  const kept = first().filter(({ path }) => path !== 'gone' && path !== 'changed' && path !== 'long.txt')
  const long = Buffer.concat([LONG.subarray(0, 12_000), Buffer.from('*** a word put in ***'), LONG.subarray(12_000)])
  return [
    ...kept,
    { path: 'added', type: 'file', content: Buffer.from('only in the second snapshot\n') },
    { path: 'changed', type: 'file', content: Buffer.from('as it is now\n') },
    { path: 'long.txt', type: 'file', content: long },
  ]
}

export const STATES: readonly (readonly Node[])[] = [first(), second()]

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Makes the tree in an empty folder. */
export function plantFirst(root: string): void {
  for (const node of first()) plant(root, node)
  settle(root, first())
}

/** Goes from the first state to the second, so that what is in both stays the same file. */
export function plantSecond(root: string): void {
  const before = new Set(first().map(({ path }) => path))
  rmSync(at(root, 'gone'))
  for (const node of second()) {
    if (!before.has(node.path) || node.path === 'changed' || node.path === 'long.txt') plant(root, node)
  }
  settle(
    root,
    second().filter(({ path }) => ['added', 'changed', 'long.txt'].includes(path)),
  )
}

function plant(root: string, { path, type, content, to, mode }: Node): void {
  if (type === 'directory') mkdirSync(at(root, path), { mode: mode ?? 0o755 })
  if (type === 'symlink') symlinkSync(Buffer.from(to!, 'latin1'), at(root, path))
  if (type === 'hardlink') linkSync(at(root, to!), at(root, path))
  if (type === 'file') writeFileSync(at(root, path), content!, { mode: mode ?? 0o644 })
}

/** Times last: a folder's changes with what is put into it. */
function settle(root: string, nodes: readonly Node[]): void {
  for (const { path, type } of nodes) {
    if (type === 'symlink') lutimesSync(at(root, path), MODIFIED_AT, MODIFIED_AT)
    else utimesSync(at(root, path), MODIFIED_AT, MODIFIED_AT)
  }
}

function at(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')])
}

/** A source of another kind than files: a stream without size, facts, and a type that this version does not know. */
export function recordsSource(): Source {
  const list: SourceEntry[] = [
    { path: 'orders', type: 'table', facts: { rows: 3, columns: ['id', 'at'] }, content: bytes('1\t2\n3\t4\n5\t6\n') },
    { path: 'settings', type: 'acme.settings', size: 13, content: bytes('{"dark":true}') },
  ]
  return defineSource({
    name: RECORDS,
    kind: 'golden',
    open: async () => ({
      describe: async () => ({ server: 'golden 1.0' }),
      async *entries() {
        yield list
      },
      async [Symbol.asyncDispose]() {},
    }),
  })
}

function bytes(text: string): NonNullable<SourceEntry['content']> {
  return { from: 'bytes', bytes: Buffer.from(text) }
}

const RECORD_ENTRIES: readonly Expected[] = [
  { path: `${RECORDS}/orders`, type: 'table', size: 12, sha256: sha256(Buffer.from('1\t2\n3\t4\n5\t6\n')) },
  { path: `${RECORDS}/settings`, type: 'acme.settings', size: 13, sha256: sha256(Buffer.from('{"dark":true}')) },
]

/** From the nodes alone: no code of the engine takes part, but for how names are shown. */
export function expectedOf(nodes: readonly Node[]): Expected[] {
  const byPath = new Map(nodes.map((node) => [node.path, node]))
  const entries = nodes.map((node) => expectedNode(node.type === 'hardlink' ? byPath.get(node.to!)! : node, node.path))
  return [...entries, ...RECORD_ENTRIES]
}

function expectedNode({ type, content, to, mode }: Node, path: string): Expected {
  return {
    path: `${FILES}/${latin1ToUser(path)}`,
    type,
    size: content?.length ?? 0,
    ...(content && { sha256: sha256(content) }),
    ...(to !== undefined && { linkTarget: latin1ToUser(to) }),
    ...(type !== 'symlink' && { mode: mode ?? (type === 'directory' ? 0o755 : 0o644) }),
    modifiedAt: MODIFIED_AT.toISOString(),
  }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
