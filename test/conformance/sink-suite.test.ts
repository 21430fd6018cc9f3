/** The suite for sinks must notice each broken promise: here is one sink a promise. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folder } from '../../src/sources/filesystem/folder.ts'
import type { Sink, SinkEntry, SinkSession } from '../../src/sources/sink.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { temporaryFolder } from '../sources/filesystem/temporary.ts'
import { failingTests } from './failing-tests.ts'

const place = temporaryFolder()
let count = 0

type Bend = (session: SinkSession, root: string) => Partial<SinkSession>

/** A folder sink whose sessions are bent. */
function bent(bend: Bend): Sink {
  const root = join(place.path, `a/b/c/${count++}`)
  return {
    apiVersion: 1,
    name: 'bent',
    async open(context) {
      const session = await folder({ path: root }).open(context)
      const bound: SinkSession = {
        current: () => session.current!(),
        write: (entry, content) => session.write(entry, content),
        prepare: () => session.prepare(),
        commit: () => session.commit(),
        rollback: (reason) => session.rollback(reason),
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      }
      return { ...bound, ...bend(bound, root) }
    },
  }
}

const bentEntry = (bend: (entry: SinkEntry) => SinkEntry): Bend => {
  return (session) => ({ write: (entry, content) => session.write(bend(entry), content) })
}

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** As somebody writes who has not read the contract. */
const careless: Bend = (session, root) => ({
  async write(entry, content) {
    if (entry.type !== 'file') return await session.write(entry, content)
    const path = join(root, entry.path.replace('\0', ''))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, await bytesOf(content))
  },
})

/** Writes as it comes, under the final name. */
const halves: Bend = (_, root) => ({
  async write(entry, content) {
    mkdirSync(root, { recursive: true })
    for await (const bytes of content) writeFileSync(join(root, entry.path), bytes, { flag: 'a' })
  },
})

const BROKEN: [string, Bend][] = [
  [
    'is empty at first',
    () => ({
      current: async function* () {
        yield [{ path: 'x', type: 'file' }]
      },
    }),
  ],
  ['holds what was written, with its metadata', bentEntry((entry) => ({ ...entry, mode: 0o777 }))],
  ['holds what was written, with its metadata', bentEntry((entry) => ({ ...entry, mtimeNs: 0n }))],
  ['keeps names of one file together', bentEntry(({ linkGroup: _, ...entry }) => entry)],
  ['refuses paths that leave its root, or have more than one form', careless],
  [
    'refuses paths that leave its root, or have more than one form',
    bentEntry((entry) => ({ ...entry, path: posix.normalize(entry.path) })),
  ],
  ['refuses to write through a link', careless],
  ['replaces nothing', careless],
  ['never shows half a file', halves],
  ['refuses content that is not as long as the entry says', careless],
  ['writes nothing after the signal aborts', careless],
  [
    'takes back everything after writing',
    (session) => ({
      rollback: async () => {
        await session.prepare()
        await session.commit()
      },
    }),
  ],
  [
    'takes back everything after commit',
    (session) => ({
      async commit() {
        this.rollback = async () => session.commit()
      },
    }),
  ],
  [
    'may be rolled back twice, and before anything was written',
    (session) => ({
      rollback: () =>
        session.rollback(null).then(() => {
          throw new Error('no')
        }),
    }),
  ],
]

describe('the suite for sinks', () => {
  it.each(BROKEN)('notices a sink that breaks "%s"', async (name, bend) => {
    expect(await failingTests((runner) => sinkConformance(runner, { create: () => bent(bend) }))).toContain(name)
  })

  it('finds nothing wrong with a good one, nor with one that cannot list', async () => {
    expect(await failingTests((runner) => sinkConformance(runner, { create: () => bent(() => ({})) }))).toEqual([])
    const blind: Bend = () => ({ current: undefined }) as unknown as Partial<SinkSession>
    expect(await failingTests((runner) => sinkConformance(runner, { create: () => bent(blind) }))).toEqual([])
  })
})
