/** The promises of a source (`sources/source.ts`), as tests. */
import assert from 'node:assert/strict'
import { BackupError } from '../errors.ts'
import type { Warning } from '../events.ts'
import { SOURCE_NAME, type Source, type SourceContext, type SourceEntry } from '../sources/source.ts'
import { comparePaths, isSafePath, latin1ToUser, userToLatin1 } from '../util/paths.ts'
import { bytesOf, entriesOf, piecesOf } from './entry-content.ts'
import type { Runner } from './runner.ts'
import { type Bench, contents, streamTests, type Test } from './source-conformance-streams.ts'

export interface SourceConformanceOptions {
  /** A source with at least one entry that has content; the same content each time. */
  create(): Promise<Source> | Source
  /** Changes what the source holds: adds, alters or removes at least one entry. */
  mutate?(): Promise<void>
}

const MAX_BATCH = 1000

/**
 * Checks every promise of a source that can be seen from outside. One that passes can be given to an engine.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * sourceConformance({ describe, it }, { create: () => mySource() })
 * ```
 */
export function sourceConformance(runner: Runner, options: SourceConformanceOptions): void {
  const test: Test = (name, body) => runner.it(name, async () => body(await benchOf(options)))
  runner.describe('source conformance', () => {
    descriptionTests(test)
    listingTests(test)
    contentTests(test)
    streamTests(test)
    sessionTests(test)
    abortTests(test)
    if (options.mutate) changeTests(test, options.mutate)
  })
}

async function benchOf({ create }: SourceConformanceOptions): Promise<Bench> {
  const source = await create()
  const abort = new AbortController()
  const warnings: Warning[] = []
  const context: SourceContext = { signal: abort.signal, warn: (warning) => warnings.push(warning) }
  return { source, abort, warnings, open: () => source.open(context) }
}

function descriptionTests(test: Test): void {
  test('says what it is', async ({ source }) => {
    assert.equal(source.apiVersion, 1)
    assert.match(source.name, SOURCE_NAME)
    assert.ok(source.kind.length > 0, 'kind is empty')
  })
  test('describes a reading with plain facts', async ({ open }) => {
    await using session = await open()
    await entriesOf(session)
    const facts = await session.describe()
    assert.deepEqual(JSON.parse(JSON.stringify(facts)), facts)
  })
  test('gives totals that are counts, or null', async ({ open }) => {
    await using session = await open()
    const { items, bytes } = (await session.totals?.()) ?? { items: null, bytes: null }
    for (const total of [items, bytes]) assert.ok(total === null || (Number.isSafeInteger(total) && total >= 0))
  })
  test('gives a plan that another thread can take', async ({ open }) => {
    await using session = await open()
    if (session.scan) assert.deepEqual(structuredClone(session.scan), session.scan)
  })
}

function listingTests(test: Test): void {
  test('lists at least one entry with content, in batches of at most 1000', async ({ open }) => {
    await using session = await open()
    let content = 0
    for await (const batch of session.entries()) {
      assert.ok(batch.length <= MAX_BATCH, `a batch of ${batch.length}`)
      content += batch.filter((entry) => entry.content !== undefined).length
    }
    assert.ok(content > 0, 'no entry has content')
  })
  test('lists each path once, in path order', async ({ open }) => {
    await using session = await open()
    const paths = (await entriesOf(session)).map((entry) => userToLatin1(entry.path))
    for (const [i, path] of paths.entries()) {
      const before = paths[i - 1]
      assert.ok(before === undefined || comparePaths(before, path) < 0, `${before} comes before ${path}`)
    }
  })
  test('gives paths that stay inside and have one form', async ({ open }) => {
    await using session = await open()
    for (const { path } of await entriesOf(session)) {
      assert.ok(isSafePath(userToLatin1(path)), `${JSON.stringify(path)} is not a plain relative path`)
      assert.equal(latin1ToUser(userToLatin1(path)), path)
    }
  })
  test('gives metadata in range', async ({ open }) => {
    await using session = await open()
    for (const entry of await entriesOf(session)) checkMetadata(entry)
  })
}

function checkMetadata(entry: SourceEntry): void {
  const { path, type, size, mode, uid, gid, mtimeNs, linkTarget } = entry
  assert.ok(type.length > 0, `${path} has no type`)
  for (const [name, value] of Object.entries({ size, mode, uid, gid })) {
    assert.ok(value === undefined || (Number.isSafeInteger(value) && value >= 0), `${path}: ${name} is ${value}`)
  }
  assert.ok(mode === undefined || mode <= 0o7777, `${path}: mode ${mode} has more than the permission bits`)
  assert.ok(mtimeNs === undefined || BigInt.asIntN(64, mtimeNs) === mtimeNs, `${path}: mtimeNs is out of range`)
  assert.equal(linkTarget !== undefined, type === 'symlink', `${path}: a link target is for symlinks, and all of them`)
  assert.ok(entry.content === undefined || type !== 'directory', `${path} is a directory with content`)
}

function contentTests(test: Test): void {
  test('gives content as long as the size says', async ({ open, abort }) => {
    await using session = await open()
    for (const entry of await entriesOf(session)) {
      const { length } = await bytesOf(entry, abort.signal)
      if (entry.size !== undefined && entry.content !== undefined) assert.equal(length, entry.size, entry.path)
    }
  })
  test('gives its bytes away', async ({ open, abort }) => {
    const before = await contents(await open(), abort.signal)
    await using session = await open()
    for (const entry of await entriesOf(session)) {
      for (const piece of await piecesOf(entry.content, abort.signal)) piece.fill(0xa5)
    }
    assert.deepEqual(await contents(await open(), abort.signal), before)
  })
  test('gives names of one file the same content', async ({ open, abort }) => {
    await using session = await open()
    const groups = new Map<string, Buffer>()
    for (const entry of await entriesOf(session)) {
      if (entry.linkGroup === undefined) continue
      const bytes = await bytesOf(entry, abort.signal)
      assert.deepEqual(bytes, groups.get(entry.linkGroup) ?? bytes, entry.path)
      groups.set(entry.linkGroup, bytes)
    }
  })
}

function facts({ content: _, fingerprint: __, ...rest }: SourceEntry): Omit<SourceEntry, 'content' | 'fingerprint'> {
  return rest
}

function sessionTests(test: Test): void {
  test('may have two sessions open at once', async ({ open }) => {
    await using first = await open()
    await using second = await open()
    const [a, b] = await Promise.all([entriesOf(first), entriesOf(second)])
    assert.deepEqual(a.map(facts), b.map(facts))
  })
  test('may be left in the middle, and opened again', async ({ open }) => {
    const session = await open()
    for await (const _ of session.entries()) break
    await session[Symbol.asyncDispose]()
    await using again = await open()
    assert.ok((await entriesOf(again)).length > 0)
  })
  test('may be disposed of twice, and unread', async ({ open }) => {
    const session = await open()
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
  })
}

function abortTests(test: Test): void {
  test('stops when the signal aborts', async ({ open, abort }) => {
    await using session = await open()
    abort.abort(new Error('enough'))
    await assert.rejects(entriesOf(session), (error) => BackupError.is(error) && error.code === 'ABORTED')
  })
}

function changeTests(test: Test, mutate: () => Promise<void>): void {
  test('shows a change in the next session, under a fingerprint that is not the old one', async ({ open, abort }) => {
    const before = await recorded(open, abort.signal)
    await mutate()
    const after = await recorded(open, abort.signal)
    assert.notDeepEqual([...after], [...before], 'mutate() changed nothing that an entry shows')
    for (const [path, now] of after) {
      const then = before.get(path)
      if (then?.fingerprint === undefined || then.fingerprint !== now.fingerprint) continue
      assert.equal(now.content, then.content, `${path} changed, its fingerprint did not`)
    }
  })
}

interface Recorded {
  readonly content: string
  readonly fingerprint: string | undefined
}

async function recorded(open: Bench['open'], signal: AbortSignal): Promise<Map<string, Recorded>> {
  await using session = await open()
  const all = new Map<string, Recorded>()
  for (const entry of await entriesOf(session)) {
    const content = (await bytesOf(entry, signal)).toString('base64')
    all.set(entry.path, { content, fingerprint: entry.fingerprint })
  }
  return all
}
