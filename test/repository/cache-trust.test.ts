/** The cache is never trusted over the target: whatever happens to its files, an engine says and does the same. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BackupEngine } from '../../src/engine/engine.ts'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { type Far, farPlace, KEY } from '../engine/backup/requests-support.ts'
import { file } from '../engine/browse/browse-fixture.ts'
import { NOW, openIn } from './fixtures.ts'

const SECRET = 'a name that nobody may read'

let far: Far
let warm: string
beforeEach(() => {
  far = farPlace()
  warm = far.freshCache()
})
afterEach(() => far.end())

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

/** What an engine says of the repository, by all that is read through the cache. */
async function told(engine: BackupEngine): Promise<unknown> {
  const entries = await engine.entries({ snapshot: 'latest', path: 'files', recursive: true }).toArray()
  const diff = await engine.diff({ base: 'empty', head: 'latest' })
  const snapshots = await engine.snapshots().toArray()
  const history = await engine.history.list().toArray()
  return { entries, changes: await diff.changes.toArray(), snapshots, history: history.map(({ runId }) => runId) }
}

async function write(over: Parameters<Far['open']>[1] = {}): Promise<void> {
  const engine = await far.open(warm, over)
  await engine.backup()
  far.source.list = [...far.source.list, file(SECRET, SECRET)]
  await engine.backup()
  await engine.verify({ snapshots: 'all' })
  await engine.close()
}

const DAMAGE: Record<string, (path: string, paths: readonly string[]) => void> = {
  'a bit is flipped'(path) {
    const bytes = readFileSync(path)
    bytes[Math.floor(bytes.length * 0.7)]! ^= 1
    writeFileSync(path, bytes)
  },
  'they are cut': (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  'they are empty': (path) => truncateSync(path, 0),
  'they are all zeros': (path) => writeFileSync(path, Buffer.alloc(statSync(path).size)),
  'they are longer': (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(9)])),
  'each is its neighbour'(path, paths) {
    const next = paths[(paths.indexOf(path) + 1) % paths.length]!
    const bytes = Buffer.alloc(statSync(path).size)
    readFileSync(next).copy(bytes)
    writeFileSync(path, bytes)
  },
}

describe.each([
  ['an encrypted repository', { key: KEY }],
  ['a repository that is not encrypted', { key: 'none' }],
] as const)('of %s, with all files of the cache damaged', (_, over) => {
  it.each(Object.keys(DAMAGE))('because %s, all is as without', async (damage) => {
    await write(over)
    const expected = await told(await far.open('none', over))
    expect(await told(await far.open(warm, over))).toEqual(expected)
    const paths = filesOf(warm)
    expect(new Set(paths.map((path) => path.split('/').at(-2)))).toEqual(
      new Set(['index', 'notes', 'packs', 'reports', 'snapshots']),
    )
    for (const path of paths) DAMAGE[damage]!(path, paths)
    const engine = await far.open(warm, over)
    expect(await told(engine)).toEqual(expected)
    const { counts, warnings } = await engine.backup()
    expect([counts.unchanged, counts.readBytes, warnings]).toEqual([far.source.list.length, 0, []])
    // It costs requests once: what was found damaged is gone, and comes back when it is asked for.
    await told(await far.open(warm, over))
    const next = await far.open(warm, over)
    far.take()
    await told(next)
    expect(far.take().filter((request) => request.startsWith('get'))).toEqual([])
  })
})

describe('the cache', () => {
  it('holds nothing that can be read', async () => {
    await write()
    const paths = filesOf(warm)
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) {
      const bytes = readFileSync(path)
      for (const word of [SECRET, 'web-1', 'files', '"id"']) expect(bytes.includes(word), path).toBe(false)
    }
    for (const path of paths) {
      const [area, name] = path.split('/').slice(-2)
      const stored = [...far.objects].find(([key]) => key.replace(/(notes\/.*)\/0*/, '$1+') === `${area}/${name}`)?.[1]
      if (area !== 'packs') expect(Buffer.compare(readFileSync(path), stored!)).toBe(0)
    }
  })

  it('is not believed where a tombstone has taken the place of a snapshot, or it is gone', async () => {
    await write()
    const ids = (await (await far.open(warm)).snapshots().toArray()).map(({ id }) => id)
    expect(ids).toHaveLength(2)
    const { records } = await openIn(far.target, { key: KEY })
    const stone = tombstoneRecord.encode({ id: ids[0]!, at: NOW, reason: 'forgotten' })
    await records.put('snapshots', `snapshots/${ids[0]}`, stone)
    const engine = await far.open(warm)
    expect((await engine.snapshots().toArray()).map(({ id }) => id)).toEqual([ids[1]])
    far.objects.delete(`snapshots/${ids[1]}`)
    expect(await engine.snapshots().toArray()).toEqual([])
    expect(await (await far.open(warm)).snapshots().toArray()).toEqual([])
  })

  it('is not asked by verify', async () => {
    await write()
    const engine = await far.open(warm)
    await told(engine)
    for (const [key, bytes] of far.objects)
      if (/^(snapshots|index)\//.test(key)) bytes[Math.floor(bytes.length / 2)]! ^= 1
    const { sound, findings } = await engine.verify({ snapshots: 'all' })
    expect(sound).toBe(false)
    expect(findings.filter(({ code }) => code === 'OBJECT_CORRUPT').length).toBeGreaterThan(2)
  })

  it('recovers from what a target gave once and took back', async () => {
    await write()
    let isLying = true
    const lying = wrapTarget(far.target, {
      async get(key, options) {
        const bytes = await far.target.get(key, options)
        if (isLying && /^(packs|index|snapshots|reports)\//.test(key)) bytes[Math.floor(bytes.length * 0.6)]! ^= 1
        return bytes
      },
    })
    const other = far.freshCache()
    const misled = await far.open(other, { target: lying })
    await told(misled).catch(() => undefined)
    await misled.close()
    isLying = false
    const expected = await told(await far.open('none'))
    expect(await told(await far.open(other, { target: lying }))).toEqual(expected)
  })

  it('may go while an engine is at work, and a damaged one may come', async () => {
    await write()
    const expected = await told(await far.open('none'))
    const engine = await far.open(warm)
    const saying = [told(engine), told(engine)]
    const copy = far.freshCache()
    cpSync(warm, copy, { recursive: true })
    for (const path of filesOf(copy)) writeFileSync(path, Buffer.alloc(statSync(path).size, 7))
    rmSync(warm, { recursive: true, force: true })
    cpSync(copy, warm, { recursive: true })
    expect(await saying[0]).toEqual(expected)
    expect(await saying[1]).toEqual(expected)
    expect(await told(engine)).toEqual(expected)
  })

  it('is off with a warning where it cannot be kept, and the backup goes on', async () => {
    writeFileSync(join(warm, 'file'), '')
    const engine = await far.open(join(warm, 'file'))
    const { warnings, snapshot } = await engine.backup()
    expect((await engine.entries({ snapshot: snapshot.id, path: 'files', recursive: true }).toArray()).length).toBe(100)
    const { warnings: next } = await engine.backup()
    expect([...warnings, ...next].map(({ code }) => code)).toContain('CACHE_UNAVAILABLE')
  })

  it("lies below the system's temporary folder for remote targets, nowhere for local ones, and where it is said", async () => {
    const { defaultCacheFolder } = await import('../../src/repository/cache/cache-folder.ts')
    const { openCache } = await import('../../src/engine/open/open-cache.ts')
    const near = wrapTarget(far.target, { traits: { ...far.target.traits, remote: false } })
    expect(openCache({ target: near }, 'id', () => {}).isOn).toBe(false)
    expect(openCache({ target: far.target, cache: 'none' }, 'id', () => {}).isOn).toBe(false)
    expect(openCache({ target: near, cache: { directory: warm } }, 'id', () => {}).isOn).toBe(true)
    expect(openCache({ target: far.target }, 'id', () => {}).isOn).toBe(true)
    expect(defaultCacheFolder('id')).toMatch(/holdfast-cache[-0-9]*.id$/)
  })
})
