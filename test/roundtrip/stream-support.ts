/** Sources of streams, for tests: entries, text in pieces, and engines with threads and without. */
import { afterAll } from 'vitest'
import {
  type BackupEngine,
  defineSource,
  type EntryContent,
  type Source,
  type SourceEntry,
  workerPool,
} from '../../src/index.ts'
import { noise } from '../engine/browse/browse-fixture.ts'
import { keeping, restoreInto } from './keeping-sink.ts'

const pool = workerPool({ threads: 2 })
afterAll(() => pool.close())
export const modes = [
  { name: 'inline', over: { workers: 'inline' as const } },
  { name: 'with threads', over: { workers: pool } },
]
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
type StreamContent = Extract<EntryContent, { from: 'stream' }>

/** Rows of text, in pieces of any length. */
export function rows(seed: number, count: number): Buffer {
  const random = noise(count * 4, seed)
  let text = ''
  for (let i = 0; i < count; i++) text += `${i}\tcustomer ${random[i]}\t${random[i * 2]! * 7}\n`
  return Buffer.from(text)
}

export function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + lengths[i % lengths.length]!)
    yield new Uint8Array(bytes.subarray(at, end))
    at = end
  }
}

export function entry(
  path: string,
  content: Omit<StreamContent, 'from'>,
  over: Partial<SourceEntry> = {},
): SourceEntry {
  return { path, type: 'rows', content: { from: 'stream', ...content }, ...over }
}

export function source(entries: readonly (readonly SourceEntry[])[], concurrency?: number, name = 'app'): Source {
  return defineSource({
    name,
    kind: 'raw',
    open: async () => ({
      ...(concurrency !== undefined && { concurrency }),
      describe: async () => ({}),
      async *entries() {
        yield* entries
      },
      async [Symbol.asyncDispose]() {},
    }),
  })
}

export async function contents(engine: BackupEngine): Promise<Map<string, Buffer>> {
  const sink = keeping()
  await restoreInto(engine, sink)
  return new Map([...sink.kept].map(([path, { bytes }]) => [path, bytes]))
}

export async function factsOf(engine: BackupEngine, path: string) {
  for await (const each of engine.entries({ snapshot: 'latest', path, recursive: true })) {
    if (each.path === path) return each.facts
  }
  throw new Error(`no ${path}`)
}

export async function* cutStream(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield* cut(bytes, [65_536])
}
