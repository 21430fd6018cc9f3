/** Reads a session the way the engine does: streams side by side, opened in path order, proved at their end. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Json } from '../../../src/errors.ts'
import { type PostgresOptions, postgres } from '../../../src/sources/postgres/postgres.ts'
import type { SourceEntry, SourceSession } from '../../../src/sources/source.ts'

export interface ReadEntry {
  readonly path: string
  readonly type: string
  readonly bytes: Buffer
  readonly facts: Readonly<Record<string, Json>>
}

export interface ReadResult {
  readonly entries: readonly ReadEntry[]
  readonly facts: Readonly<Record<string, Json>>
  readonly warnings: readonly string[]
  get(path: string): ReadEntry
}

export interface ReadOptions {
  readonly parent?: Readonly<Record<string, Json>>
  readonly signal?: AbortSignal
  /** Called with each piece, before the next one is asked for. */
  onPiece?(path: string, bytes: number): unknown
  onOpen?(session: SourceSession): unknown
}

export async function readSource(
  options: Omit<PostgresOptions, 'name'>,
  { parent, signal = new AbortController().signal, onPiece, onOpen }: ReadOptions = {},
): Promise<ReadResult> {
  const warnings: string[] = []
  const session = await postgres({ name: 'db', ...options }).open({
    signal,
    warn: ({ message }) => warnings.push(message),
    ...(parent === undefined ? {} : { parent: { facts: parent } }),
  })
  try {
    await onOpen?.(session)
    const all: SourceEntry[] = []
    for await (const batch of session.entries()) all.push(...batch)
    const entries: ReadEntry[] = []
    let next = 0
    const work = async (): Promise<void> => {
      while (next < all.length) {
        const index = next++
        entries[index] = await readEntry(all[index]!, signal, onPiece)
      }
    }
    const done = await Promise.allSettled(Array.from({ length: session.concurrency ?? 1 }, work))
    for (const one of done) if (one.status === 'rejected') throw one.reason
    const facts = await session.describe()
    const get = (path: string): ReadEntry => {
      const found = entries.find((entry) => entry.path === path)
      if (!found) throw new Error(`no ${path} among ${entries.map((entry) => entry.path).join(', ')}`)
      return found
    }
    return { entries, facts, warnings, get }
  } finally {
    await session[Symbol.asyncDispose]()
  }
}

async function readEntry(
  entry: SourceEntry,
  signal: AbortSignal,
  onPiece?: ReadOptions['onPiece'],
): Promise<ReadEntry> {
  const { path, type, content } = entry
  if (content?.from !== 'stream') {
    return { path, type, bytes: Buffer.from(content?.from === 'bytes' ? content.bytes : []), facts: entry.facts ?? {} }
  }
  const pieces: Uint8Array[] = []
  for await (const piece of await content.open({ signal })) {
    pieces.push(piece)
    await onPiece?.(path, piece.length)
  }
  const bytes = Buffer.concat(pieces)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const lineFeeds = bytes.reduce((count, byte) => (byte === 10 ? count + 1 : count), 0)
  const added = await content.finish?.({ bytes: bytes.length, sha256, lineFeeds })
  return { path, type, bytes, facts: { ...entry.facts, ...added } }
}

/** As a restore into a folder writes it. */
export async function writeFolder(result: ReadResult, folder: string): Promise<void> {
  for (const { path, type, bytes } of result.entries) {
    if (type === 'table') continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
}
