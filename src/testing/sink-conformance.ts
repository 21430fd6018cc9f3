/** The promises of a sink (`sources/sink.ts`), as tests. */
import assert from 'node:assert/strict'
import { BackupError, type ErrorCode } from '../errors.ts'
import type { Warning } from '../events.ts'
import type { Sink, SinkEntry, SinkSession } from '../sources/sink.ts'
import type { SourceEntry } from '../sources/source.ts'
import { comparePaths, userToLatin1 } from '../util/paths.ts'
import { bytesOf } from './entry-content.ts'
import type { Runner } from './runner.ts'
import { pullTests, type SinkSample } from './sink-pull-tests.ts'

export interface SinkConformanceOptions {
  /** A sink for a file tree, into a place that is empty, or not there yet: another one each time. */
  create(): Promise<Sink> | Sink
  /**
   * For a sink that pulls: a snapshot of the kind that it takes, made afresh at each call. Where it is given, only what
   * holds for any sink is tested, and how it pulls.
   */
  sample?(): SinkSample
}

interface Bench {
  readonly sink: Sink
  readonly abort: AbortController
  readonly warnings: Warning[]
  open(): Promise<SinkSession>
}
type Test = (name: string, body: (bench: Bench) => Promise<void>) => void

const MTIME_NS = 1_600_000_000_250_000_000n
const NS_PER_SECOND = 1_000_000_000n
const UNSAFE_PATHS = ['../outside', 'a/../../outside', '/outside', 'a//b', './a', 'a/', '', 'a\0b', 'a/..']

/**
 * Checks every promise of a sink that takes file trees. What cannot be seen without `current()` is checked as far as the
 * session itself tells.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * sinkConformance({ describe, it }, { create: () => mySink() })
 * ```
 */
export function sinkConformance(runner: Runner, { create, sample }: SinkConformanceOptions): void {
  const test: Test = (name, body) => runner.it(name, async () => body(await benchOf(create)))
  runner.describe('sink conformance', () => {
    descriptionTests(test)
    if (sample) return pullTests(runner, create, sample)
    writingTests(test)
    refusalTests(test)
    failureTests(test)
    rollbackTests(test)
  })
}

async function benchOf(create: SinkConformanceOptions['create']): Promise<Bench> {
  const sink = await create()
  const abort = new AbortController()
  const warnings: Warning[] = []
  const context = { runId: 'conformance', facts: {}, warn: (warning: Warning) => warnings.push(warning) }
  return { sink, abort, warnings, open: () => sink.open({ ...context, signal: abort.signal }) }
}

function file(path: string, size: number, more: Partial<SinkEntry> = {}): SinkEntry {
  return { path, type: 'file', size, mode: 0o640, mtimeNs: MTIME_NS, facts: {}, ...more }
}

function directory(path: string): SinkEntry {
  return { path, type: 'directory', size: 0, mode: 0o750, mtimeNs: MTIME_NS, facts: {} }
}

function symlink(path: string, linkTarget: string): SinkEntry {
  return { path, type: 'symlink', size: 0, linkTarget, facts: {} }
}

async function* pieces(...all: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of all) yield typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
}

async function finish(session: SinkSession): Promise<void> {
  await session.prepare()
  await session.commit()
}

/** Undefined where the sink cannot tell. */
async function listing(open: Bench['open']): Promise<SourceEntry[] | undefined> {
  await using session = await open()
  if (!session.current) return undefined
  const all: SourceEntry[] = []
  for await (const batch of session.current()) all.push(...batch)
  return all
}

async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(BackupError.is(error), `not a BackupError: ${error}`)
    assert.equal(error.code, code, error.message)
    return true
  })
}

function descriptionTests(test: Test): void {
  test('says what it is', async ({ sink }) => {
    assert.equal(sink.apiVersion, 1)
    assert.ok(sink.name.length > 0, 'it has no name')
  })
  test('is empty at first', async ({ open }) => {
    assert.deepEqual((await listing(open)) ?? [], [])
  })
  test('says what space there is, if it knows', async ({ open }) => {
    await using session = await open()
    const { freeBytes } = (await session.space?.()) ?? {}
    assert.ok(freeBytes === undefined || freeBytes >= 0)
  })
  test('may be opened and left without a trace', async ({ open }) => {
    const session = await open()
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    assert.deepEqual((await listing(open)) ?? [], [])
  })
}

function writingTests(test: Test): void {
  test('holds what was written, with its metadata', async ({ open, abort }) => {
    await using session = await open()
    await session.write(directory('folder'), pieces())
    await session.write(file('folder/empty', 0), pieces())
    await session.write(file('folder/text', 10), pieces('he', '', 'llo wor', 'l'))
    await session.write(symlink('link', 'folder/text'), pieces())
    await finish(session)
    const found = await listing(open)
    if (!found) return
    assert.deepEqual(
      found.map(({ path, type }) => `${type} ${path}`),
      ['directory folder', 'file folder/empty', 'file folder/text', 'symlink link'],
    )
    assert.equal((await bytesOf(found[2]!, abort.signal)).toString(), 'hello worl')
    assert.equal(found[3]!.linkTarget, 'folder/text')
    for (const entry of found.slice(0, 3)) checkFacts(entry)
  })
  test('lists what is there in path order', async ({ open }) => {
    const paths = ['a', 'a/z', 'a-b', 'a.b', 'Z', 'é', '\udcff']
    await using session = await open()
    for (const path of paths) await session.write(path === 'a' ? directory(path) : file(path, 1), pieces('x'))
    await finish(session)
    const sorted = paths.toSorted((a, b) => comparePaths(userToLatin1(a), userToLatin1(b)))
    assert.deepEqual((await listing(open))?.map(({ path }) => path) ?? sorted, sorted)
  })
  test('keeps names of one file together', async ({ open }) => {
    await using session = await open()
    await session.write(file('one', 3, { linkGroup: 'g' }), pieces('abc'))
    await session.write(file('two', 3, { linkGroup: 'g' }), pieces('abc'))
    await finish(session)
    const found = (await listing(open)) ?? []
    for (const entry of found) {
      assert.equal(entry.size, 3)
      assert.equal(entry.linkGroup, found[0]!.linkGroup)
    }
    if (found.length > 0) assert.ok(found[0]!.linkGroup !== undefined, 'they are two files now')
  })
  test('fills a directory that nobody may write to', async ({ open }) => {
    await using session = await open()
    await session.write({ ...directory('locked'), mode: 0o500 }, pieces())
    await session.write(file('locked/inside', 1), pieces('x'))
    await finish(session)
    assert.equal((await listing(open))?.length ?? 2, 2)
  })
}

function checkFacts({ path, mode, mtimeNs }: SourceEntry): void {
  assert.equal(mode, path === 'folder' ? 0o750 : 0o640, path)
  assert.equal(mtimeNs! / NS_PER_SECOND, MTIME_NS / NS_PER_SECOND, path)
}

function refusalTests(test: Test): void {
  test('refuses paths that leave its root, or have more than one form', async ({ open }) => {
    await using session = await open()
    for (const path of UNSAFE_PATHS) {
      await rejects(session.write(file(path, 1), pieces('x')), 'RESTORE_UNSAFE_PATH')
      await rejects(session.write(directory(path), pieces()), 'RESTORE_UNSAFE_PATH')
      await rejects(session.write(symlink(path, 'x'), pieces()), 'RESTORE_UNSAFE_PATH')
    }
    await session.rollback(new Error('refused'))
  })
  test('refuses to write through a link', async ({ open }) => {
    await using session = await open()
    await session.write(symlink('way-out', '..'), pieces())
    await rejects(session.write(file('way-out/file', 1), pieces('x')), 'RESTORE_UNSAFE_PATH')
    await rejects(session.write(directory('way-out/folder'), pieces()), 'RESTORE_UNSAFE_PATH')
    await rejects(session.write(directory('way-out'), pieces()), 'RESTORE_UNSAFE_PATH')
    await session.rollback(new Error('refused'))
  })
  test('replaces nothing', async ({ open, abort }) => {
    await using session = await open()
    await session.write(file('taken', 3), pieces('old'))
    await rejects(session.write(file('taken', 3), pieces('new')), 'RESTORE_CONFLICT')
    await rejects(session.write(symlink('taken', 'x'), pieces()), 'RESTORE_CONFLICT')
    await rejects(session.write(file('taken/below', 1), pieces('x')), 'RESTORE_CONFLICT')
    await finish(session)
    const found = await listing(open)
    if (found) assert.equal((await bytesOf(found[0]!, abort.signal)).toString(), 'old')
  })
}

function failureTests(test: Test): void {
  test('never shows half a file', async ({ open }) => {
    await using session = await open()
    const lost = new Error('the connection is gone')
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield* pieces('half')
      throw lost
    }
    await assert.rejects(session.write(file('cut', 8), cut()), (error) => error === lost)
    assert.deepEqual((await listing(open)) ?? [], [])
  })
  test('refuses content that is not as long as the entry says', async ({ open }) => {
    await using session = await open()
    await rejects(session.write(file('short', 5), pieces('1234')), 'RESTORE_MISMATCH')
    await rejects(session.write(file('long', 5), pieces('123456')), 'RESTORE_MISMATCH')
    assert.deepEqual((await listing(open)) ?? [], [])
  })
  test('writes nothing after the signal aborts', async ({ open, abort }) => {
    await using session = await open()
    abort.abort(new Error('enough'))
    await rejects(session.write(file('late', 1), pieces('x')), 'ABORTED')
    await rejects(session.prepare(), 'ABORTED')
    await session.rollback(abort.signal.reason)
  })
}

function rollbackTests(test: Test): void {
  for (const when of ['writing', 'prepare', 'commit'] as const) {
    test(`takes back everything after ${when}`, async ({ open }) => {
      await using session = await open()
      await session.write({ ...directory('folder'), mode: 0o500 }, pieces())
      await session.write(file('folder/file', 4), pieces('text'))
      await session.write(file('deep/without/entries', 1), pieces('x'))
      await session.write(symlink('link', 'folder'), pieces())
      if (when !== 'writing') await session.prepare()
      if (when === 'commit') await session.commit()
      await session.rollback(new Error('another sink failed'))
      assert.deepEqual((await listing(open)) ?? [], [])
    })
  }
  test('may be rolled back twice, and before anything was written', async ({ open }) => {
    await using session = await open()
    await session.rollback(new Error('nothing happened'))
    await session.rollback(new Error('nothing happened'))
  })
}
