/** How many requests a far target gets, and which. Each number here is a promise: docs/design.md says what each request is for. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../../src/crypto/random.ts'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import { openIn, putSnapshot, snapshotOf } from '../../repository/fixtures.ts'
import { file, noise } from '../browse/browse-fixture.ts'
import { type Far, farPlace, KEY } from './requests-support.ts'

const OPEN = ['get config', 'get keys', 'list config', 'list keys']
const UNCHANGED = [
  'put runs',
  'list gc',
  'list config',
  'list snapshots',
  'list index',
  'put snapshots',
  'delete runs',
  'put reports',
]

let far: Far

const times = (count: number, request: string): string[] => Array.from({ length: count }, () => request)

/** A repository of that many snapshots, written by one process with a cache that has all of it. */
async function placeOf(snapshots: number): Promise<{ writer: BackupEngine; warm: string }> {
  far = farPlace()
  const warm = far.freshCache()
  const writer = await far.open(warm)
  for (let n = 0; n < snapshots; n++) await writer.backup()
  far.take()
  return { writer, warm }
}

describe.each([1, 10, 100])('with %i snapshots, requests to', (snapshots) => {
  let writer: BackupEngine
  let warm: string
  beforeAll(async () => {
    ;({ writer, warm } = await placeOf(snapshots))
  }, 30_000)
  afterAll(() => far.end())

  it('open and look around', async () => {
    const near = await far.open(warm)
    expect(far.take().sort()).toEqual(OPEN)
    expect(await near.snapshots().toArray()).toHaveLength(snapshots)
    expect(far.take()).toEqual(['list snapshots', 'list notes'])
    expect(await near.entries({ snapshot: 'latest', path: 'files', recursive: true }).toArray()).toHaveLength(100)
    expect(far.take()).toEqual(['list snapshots', 'list gc', 'list index'])
    expect(await near.history.list().toArray()).toHaveLength(snapshots)
    expect(far.take()).toEqual(['list reports'])

    const cold = await far.open(far.freshCache())
    expect(far.take().sort()).toEqual(OPEN)
    expect(await cold.snapshots().toArray()).toHaveLength(snapshots)
    // What nobody has near has to be read once; in this format each snapshot is an object.
    expect(far.take()).toEqual(['list snapshots', 'list notes', ...times(snapshots, 'get snapshots')])
    await cold.entries({ snapshot: 'latest', path: 'files', recursive: true }).toArray()
    expect(far.take()).toEqual(['list snapshots', 'list gc', 'list index', 'get index', 'get packs'])
  })

  it('back up what has not changed', async () => {
    far.take()
    await writer.backup()
    expect(far.take(), 'in an open engine').toEqual(UNCHANGED)
    const near = await far.open(warm)
    far.take()
    await near.backup()
    expect(far.take(), 'in a new process with its cache').toEqual(UNCHANGED)
    const cold = await far.open(far.freshCache())
    far.take()
    await cold.backup()
    // Of the packs: a segment of pages, and one of fingerprints, which lies behind it.
    const once = ['get snapshots', 'get index', 'get packs']
    expect(far.take().sort(), 'in a new process without').toEqual([...UNCHANGED, ...once].sort())
    await cold.backup()
    expect(far.take(), 'and the one after it').toEqual(UNCHANGED)
  })
})

describe('requests', () => {
  afterEach(() => far.end())

  it('of a first backup are its packs and a constant', async () => {
    far = farPlace()
    const engine = await far.open(far.freshCache())
    expect(far.take()).toEqual(['list config', 'list keys', 'list *', 'put keys', 'put config', 'list keys'])
    far.source.list = Array.from({ length: 5 }, (_, n) => file(`large-${n}`, noise(6_000_000, n + 1)))
    await engine.backup()
    const all = far.take()
    const packs = all.filter((request) => request === 'put packs').length
    expect(packs).toBeGreaterThan(1)
    const rest = [...UNCHANGED, 'put index', 'list packs', 'stat index']
    expect(all.sort()).toEqual([...rest, ...times(packs, 'put packs')].sort())
  })

  it('of a long backup leave few fragments for those who open next', { timeout: 30_000 }, async () => {
    far = farPlace({ remote: false })
    const engine = await far.open(far.freshCache())
    far.source.list = Array.from({ length: 14 }, (_, n) => file(`large-${n}`, noise(8_000_000, n + 1)))
    far.take()
    await engine.backup()
    const all = far.take().filter((request) => request.endsWith(' index'))
    expect(all).toEqual(['list index', ...times(4, 'put index'), 'stat index', 'delete index'])
    expect([...far.objects.keys()].filter((key) => key.startsWith('index/'))).toHaveLength(1)
    await engine.backup()
    expect(far.take(), 'the same engine need not read it').toEqual(UNCHANGED)
    const cold = await far.open(far.freshCache())
    expect((await cold.verify({ level: 'data', snapshots: 'all' })).findings).toEqual([])
    far.take()
    await cold.backup()
    expect(far.take().filter((request) => request === 'get index')).toHaveLength(1)
  })

  it('to look at notes are one list, once they are near', async () => {
    const { writer, warm } = await placeOf(10)
    await writer.verify({ snapshots: 'all' })
    const near = await far.open(warm)
    far.take()
    const listed = await near.snapshots().toArray()
    expect(listed.every(({ lastVerified }) => lastVerified?.sound)).toBe(true)
    expect(far.take()).toEqual(['list snapshots', 'list notes'])
  })

  it('grow by one for each thousand snapshots, of which a backup reads one', { timeout: 30_000 }, async () => {
    const { writer } = await placeOf(1)
    const repository = await openIn(far.target, { key: KEY })
    for (let n = 0; n < 1000; n++) {
      await putSnapshot(repository, snapshotOf(newId(new Date(Date.UTC(2020, 0, 1, 0, 0, n))), { host: 'another' }))
    }
    far.take()
    await writer.backup()
    expect(far.take().filter((request) => request.includes('snapshots'))).toEqual([
      'list snapshots',
      'list snapshots',
      'put snapshots',
    ])
    const without = await far.open('none')
    far.take()
    await without.backup()
    expect(far.take().filter((request) => request.includes('get snapshots'))).toEqual(['get snapshots'])
  })
})
