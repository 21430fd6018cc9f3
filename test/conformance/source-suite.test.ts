/** The suite for sources must notice each broken promise: here is one source a promise. */
import { describe, expect, it } from 'vitest'
import type { Source, SourceEntry, SourceSession } from '../../src/sources/source.ts'
import { memorySource } from '../../src/testing/memory-source.ts'
import { sourceConformance } from '../../src/testing/source-conformance.ts'
import { failingTests } from './failing-tests.ts'

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([1, 2, 10])
}
const FILES = { a: 'text', 'a/b': 'more', 'c.txt': 'text', d: { open: pieces } }
const kept = new Uint8Array(100)

/** A memory source whose sessions, or their entries, are bent. */
function bent(bend: (session: SourceSession) => Partial<SourceSession>): Source {
  const inner = memorySource({ name: 'files', files: FILES })
  return {
    ...inner,
    async open(context) {
      const session = await inner.open(context)
      return { ...session, ...bend(session) }
    },
  }
}

const bentEntries = (bend: (entries: SourceEntry[]) => SourceEntry[]): Source =>
  bent((session) => ({
    async *entries() {
      for await (const batch of session.entries()) yield bend([...batch])
    },
  }))

const bentFirst = (change: Partial<SourceEntry>): Source =>
  bentEntries(([first, ...rest]) => [{ ...first!, ...change }, ...rest])

const BROKEN: [string, Source][] = [
  ['says what it is', { ...memorySource({ name: 'files', files: FILES }), name: '../etc' }],
  ['describes a reading with plain facts', bent(() => ({ describe: async () => ({ at: new Date() as never }) }))],
  ['gives totals that are counts, or null', bent(() => ({ totals: async () => ({ items: -1, bytes: 0 }) }))],
  ['lists at least one entry with content, in batches of at most 1000', bentEntries(() => [])],
  ['lists each path once, in path order', bentEntries((entries) => entries.toReversed())],
  ['lists each path once, in path order', bentEntries(([first, ...rest]) => [first!, first!, ...rest])],
  ['gives paths that stay inside and have one form', bentFirst({ path: '../a' })],
  ['gives metadata in range', bentFirst({ mode: 0o100644 })],
  ['gives metadata in range', bentFirst({ type: 'symlink' })],
  ['gives content as long as the size says', bentFirst({ size: 3 })],
  ['gives its bytes away', bentFirst({ content: { from: 'bytes', bytes: kept }, size: 100 })],
  [
    'gives names of one file the same content',
    bentEntries((entries) => entries.map((entry) => ({ ...entry, linkGroup: 'g' }))),
  ],
  ['says how many streams may be read at once, and how they are cut', bent(() => ({ concurrency: 0 }))],
  ['says how many streams may be read at once, and how they are cut', bentStream({ chunks: 'rows' as never })],
  ['gives the same content when as many streams as allowed are read at once', colliding()],
  ['adds plain facts to a stream that has been read', bentStream({ finish: () => ({ at: new Date() as never }) })],
  ['ends its streams when the signal aborts', bentStream({ open: endless })],
  ['may have two sessions open at once', changing()],
  ['stops when the signal aborts', bent(() => ({ entries: async function* () {} }))],
]

function bentStream(change: object): Source {
  return bentEntries((entries) =>
    entries.map((entry) =>
      entry.content?.from === 'stream' ? { ...entry, content: { ...entry.content, ...change } } : entry,
    ),
  )
}

/** Goes on whatever the signal says; but other tests, which abort nothing, must come to an end. */
async function* endless({ signal }: { signal: AbortSignal }): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1)
  while (signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    yield new Uint8Array(1)
  }
}

/** Streams that are read at once take each other's bytes. */
function colliding(): Source {
  const queue = [1, 2, 3, 4, 5, 6]
  let open = 0
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    open++
    await new Promise((resolve) => setTimeout(resolve, 1))
    yield new Uint8Array([open > 1 ? queue.length : 0])
    open--
  }
  return bent(() => ({
    concurrency: 2,
    async *entries() {
      yield ['a', 'b'].map((path) => ({ path, type: 'file', content: { from: 'stream' as const, open: stream } }))
    },
  }))
}

function changing(): Source {
  let session = 0
  return bent(() => {
    const mode = session++ % 2
    return {
      async *entries() {
        yield [{ path: 'a', type: 'file', mode, content: { from: 'bytes', bytes: new Uint8Array(1) } }]
      },
    }
  })
}

describe('the suite for sources', () => {
  it.each(BROKEN)('notices a source that breaks "%s"', async (name, source) => {
    expect(await failingTests((runner) => sourceConformance(runner, { create: () => source }))).toContain(name)
  })

  it('notices a fingerprint that stays when the content changes', async () => {
    const inner = memorySource({ name: 'files', files: FILES })
    const source: Source = {
      ...inner,
      async open(context) {
        const session = await inner.open(context)
        return {
          ...session,
          async *entries() {
            for await (const batch of session.entries()) yield batch.map((entry) => ({ ...entry, fingerprint: 'same' }))
          },
        }
      },
    }
    const mutate = async (): Promise<void> => inner.set('a', 'TEXT')
    const failing = await failingTests((runner) => sourceConformance(runner, { create: () => source, mutate }))
    expect(failing).toEqual(['shows a change in the next session, under a fingerprint that is not the old one'])
  })

  it('notices a mutate that changes nothing', async () => {
    const source = memorySource({ name: 'files', files: FILES })
    const failing = await failingTests((runner) =>
      sourceConformance(runner, { create: () => source, mutate: async () => {} }),
    )
    expect(failing).toHaveLength(1)
  })

  it('finds nothing wrong with a good one', async () => {
    const source = memorySource({ name: 'files', files: FILES })
    expect(await failingTests((runner) => sourceConformance(runner, { create: () => source }))).toEqual([])
  })
})
