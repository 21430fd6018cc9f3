/** The suite for sinks that pull: one sink that keeps its promises, and one for each that is broken. */
import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import { defineSink, type Sink, type SinkEntry, type SinkReader, type SinkSession } from '../../src/index.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { throwIfAborted } from '../../src/util/abort.ts'
import { failingTests } from './failing-tests.ts'

type Bend = (session: SinkSession, place: Place) => Partial<SinkSession>

interface Place {
  live: Map<string, string>
  scratch?: Map<string, string> | undefined
}

const entry = (path: string, type: string): SinkEntry => ({ path, type, size: 0, facts: {} })
const ENTRIES = [
  { entry: entry('t', 'table') },
  { entry: entry('t/1', 'rows'), content: Buffer.from('one') },
  { entry: { ...entry('t/2', 'rows'), from: 'old/2' }, content: Buffer.from('two') },
]

/** Into maps: a scratch one that takes the place of the live one at the commit. */
function bench(bend: Bend = () => ({}), plan?: (place: Place) => void) {
  let place: Place = { live: new Map(), scratch: undefined }
  const create = (): Sink => {
    const here: Place = { live: new Map(), scratch: undefined }
    place = here
    return defineSink({
      name: 'maps',
      open: async ({ signal }) => {
        const session: SinkSession = {
          write: () => Promise.reject(new Error('it pulls')),
          async pull(reader) {
            here.scratch = new Map()
            for await (const batch of reader.entries()) {
              for (const each of batch) await take(here.scratch, reader, each, signal)
            }
          },
          prepare: async () => throwIfAborted(signal),
          async commit() {
            here.live = here.scratch!
            here.scratch = undefined
          },
          async rollback() {
            here.live = new Map()
            here.scratch = undefined
          },
          where: () => ({ map: 'scratch' }),
          [Symbol.asyncDispose]: async () => {},
        }
        return { ...session, ...bend(session, here) }
      },
      plan: async () => {
        plan?.(here)
        return { changes: [], warnings: [], destructive: false }
      },
    })
  }
  const sample = () => ({
    facts: {},
    entries: ENTRIES,
    isRestored: async () =>
      assert.deepEqual(
        [...place.live],
        [
          ['t', ''],
          ['t/1', 'one'],
          ['t/2', 'two'],
        ],
      ),
    isEmpty: async () => assert.ok(place.live.size === 0 && place.scratch === undefined, 'something is left'),
  })
  return { create, sample }
}

async function take(
  into: Map<string, string>,
  reader: SinkReader,
  each: SinkEntry,
  signal: AbortSignal,
): Promise<void> {
  throwIfAborted(signal)
  let text = ''
  for await (const piece of reader.content(each.from ?? each.path)) text += Buffer.from(piece)
  into.set(each.path, text)
  reader.done(each)
}

sinkConformance({ describe, it }, bench())

async function drop(place: Place): Promise<void> {
  place.scratch = undefined
}

const BROKEN: [string, Bend, string][] = [
  [
    'says nothing is done',
    (s) => ({ pull: (reader) => s.pull!(Object.assign(reader, { done: () => {} })) }),
    'pulls a',
  ],
  ['passes over damage', (s) => ({ pull: (reader) => s.pull!(reader).catch(() => undefined) }), 'passes damage on'],
  ['leaves the scratch', (_, place) => ({ rollback: async () => void place.live.clear() }), 'shows nothing before'],
  ['keeps what was committed', (_, place) => ({ rollback: () => drop(place) }), 'after commit'],
  ['does not hear an abort', () => ({ pull: async () => {}, prepare: async () => {} }), 'stops on abort'],
  [
    'leaves contents open',
    () => ({
      async pull(reader) {
        await reader.content('t/1')[Symbol.asyncIterator]().next()
      },
    }),
    'passes damage on',
  ],
]

describe('the suite for sinks that pull', () => {
  it.each(BROKEN)('notices a sink that %s', async (_, bend, test) => {
    const failing = await failingTests((runner) => sinkConformance(runner, bench(bend)))
    expect(
      failing.some((name) => name.includes(test)),
      failing.join('; '),
    ).toBe(true)
  })

  it('notices a plan that changes something', async () => {
    const changing = bench(undefined, (place) => void place.live.set('x', ''))
    const failing = await failingTests((runner) => sinkConformance(runner, changing))
    expect(failing).toEqual(['plans without changing anything'])
  })
})
