/** Of the promises of a source: those of its streams. */
import assert from 'node:assert/strict'
import { sha256Hex } from '../crypto/hash.ts'
import type { Warning } from '../events.ts'
import type { EntryContent, Source, SourceEntry, SourceSession, StreamProof } from '../sources/source.ts'
import { settled } from '../util/abort.ts'
import { bytesOf, entriesOf } from './entry-content.ts'

/** A stream may end, fail, or have been short; only going on for ever is wrong. */
const ABORT_MS = 1000

export interface Bench {
  readonly source: Source
  readonly abort: AbortController
  readonly warnings: Warning[]
  open(): Promise<SourceSession>
}
export type Test = (name: string, body: (bench: Bench) => Promise<void>) => void

export function streamTests(test: Test): void {
  test('says how many streams may be read at once, and how they are cut', async ({ open }) => {
    await using session = await open()
    const { concurrency = 1 } = session
    assert.ok(Number.isSafeInteger(concurrency) && concurrency >= 1, `concurrency is ${concurrency}`)
    for (const { path, content } of streamsOf(await entriesOf(session))) {
      assert.ok(['files', 'table', undefined].includes(content.chunks), `${path}: chunks is ${content.chunks}`)
      assert.ok(content.finish === undefined || typeof content.finish === 'function', `${path}: finish is no function`)
    }
  })
  test('gives the same content when as many streams as allowed are read at once', async ({ open, abort }) => {
    const before = await contents(await open(), abort.signal)
    await using session = await open()
    const entries = await entriesOf(session)
    const { concurrency = 1 } = session
    for (let at = 0; at < entries.length; at += Math.max(1, concurrency)) {
      const some = entries.slice(at, at + Math.max(1, concurrency))
      const all = await Promise.all(some.map((entry) => bytesOf(entry, abort.signal)))
      for (const [i, { path }] of some.entries()) assert.equal(all[i]!.toString('base64'), before.get(path), path)
    }
  })
  test('adds plain facts to a stream that has been read', async ({ open, abort }) => {
    await using session = await open()
    for (const { path, content } of streamsOf(await entriesOf(session))) {
      if (!content.finish) continue
      const added = await content.finish(streamProof(await bytesOf({ path, type: 'file', content }, abort.signal)))
      assert.deepEqual(JSON.parse(JSON.stringify(added)), added, path)
    }
  })
  test('can be opened again when its streams were left in the middle', async ({ open, abort }) => {
    const session = await open()
    for (const { content } of streamsOf(await entriesOf(session))) {
      for await (const _ of await content.open({ signal: abort.signal })) break
    }
    await session[Symbol.asyncDispose]()
    await using again = await open()
    assert.ok((await entriesOf(again)).length > 0)
  })
  test('ends its streams when the signal aborts', async ({ open, abort }) => {
    await using session = await open()
    const [first] = streamsOf(await entriesOf(session))
    if (!first) return
    const pieces = await first.content.open({ signal: abort.signal })
    const iterator = pieces[Symbol.asyncIterator]()
    await iterator.next()
    abort.abort(new Error('enough'))
    const ended = (async () => {
      for (let next = await iterator.next(); !next.done; next = await iterator.next());
    })()
    assert.ok(await endsWithin(ABORT_MS, ended), `${first.path} still gives bytes ${ABORT_MS} ms after the abort`)
    await iterator.return?.()
  })
}

/** True once the promise has settled, either way. */
async function endsWithin(ms: number, promise: Promise<void>): Promise<boolean> {
  let isEnded = false
  const noted = promise
    .catch(() => undefined)
    .then(() => {
      isEnded = true
    })
  await settled(noted, ms)
  return isEnded
}

type StreamEntry = SourceEntry & { content: Extract<EntryContent, { from: 'stream' }> }

function streamsOf(entries: readonly SourceEntry[]): StreamEntry[] {
  return entries.filter((entry): entry is StreamEntry => entry.content?.from === 'stream')
}

function streamProof(bytes: Buffer): StreamProof {
  const lineFeeds = bytes.reduce((count, byte) => count + Number(byte === 0x0a), 0)
  return { bytes: bytes.length, sha256: sha256Hex(bytes), lineFeeds }
}

/** Of every entry, by path; the session is disposed of. */
export async function contents(session: SourceSession, signal: AbortSignal): Promise<Map<string, string>> {
  await using held = session
  const all = new Map<string, string>()
  for (const entry of await entriesOf(held)) all.set(entry.path, (await bytesOf(entry, signal)).toString('base64'))
  return all
}
