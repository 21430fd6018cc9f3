import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type BackupEngine,
  BackupError,
  copySnapshots,
  localTarget,
  memoryTarget,
  prefixed,
  retrying,
  type Target,
  wrapTarget,
} from '../../../src/index.ts'
import { type CountingTarget, countingTarget } from '../../../src/testing/counting-target.ts'
import { blocksOf, ChangingTree, engineOn, KEY_A, KEY_B, restoreInto } from './copy-support.ts'

let tree: ChangingTree
let fromCalls: CountingTarget
let from: BackupEngine
let to: BackupEngine
const ids: string[] = []

const packBytes = (calls: CountingTarget): number =>
  calls.operations
    .filter(({ operation, key }) => operation === 'get' && key.startsWith('packs/'))
    .reduce((sum, { bytes = 0 }) => sum + bytes, 0)

const backup = async (number: number): Promise<void> => {
  const { snapshot } = await from.backup({
    name: `number ${number}`,
    description: 'of a series',
    tags: ['nightly', `n${number}`],
    labels: { app: `1.${number}` },
    actor: 'somebody',
  })
  ids.push(snapshot.id)
}

beforeEach(async () => {
  ids.length = 0
  tree = await ChangingTree.make()
  await tree.first()
  fromCalls = countingTarget(localTarget(tree.at('repository'), { fsync: false }))
  from = await engineOn(fromCalls, KEY_A, tree.sources)
  to = await engineOn(retrying(prefixed(memoryTarget(), 'tenants/42')), KEY_B)
  await backup(1)
})

afterEach(async () => {
  await Promise.all([from.close(), to.close()])
  await tree.remove()
})

describe('copySnapshots', { timeout: 60_000 }, () => {
  it('copies a series between keys exactly, once, and then only what is new', async () => {
    await tree.second()
    await backup(2)
    const first = await copySnapshots({ from, to, actor: 'the copier' })
    expect(first).toMatchObject({ present: 0, copied: [expect.any(String), expect.any(String)] })
    expect(first.storedBytes).toBeGreaterThan(0)

    fromCalls.reset()
    const second = await copySnapshots({ from, to })
    expect(second).toMatchObject({ copied: [], present: 2, bytes: 0, storedBytes: 0 })
    expect(fromCalls.count('get', 'packs/')).toBe(0)

    await tree.third()
    await backup(3)
    fromCalls.reset()
    const third = await copySnapshots({ from, to })
    expect(third).toMatchObject({ present: 2, copied: [expect.any(String)] })
    // The file of 5 MB under its two names, since its content is another, and the new one; no rows, none of the others.
    expect(third.bytes).toBe(2 * 5_000_004 + 3)
    expect(packBytes(fromCalls)).toBeLessThan(2 * 5_000_004)
    const copied = await to.snapshot(third.copied[0]!)
    expect(copied.counts).toMatchObject({ added: 1, modified: 2, deleted: 0 })

    const copies = [...first.copied, ...third.copied]
    for (const [at, id] of ids.entries()) {
      const original = await restoreInto(from, id, tree.at(`original-${at}`))
      expect(await restoreInto(to, copies[at]!, tree.at(`copy-${at}`))).toEqual(original)
      expect(original.size).toBeGreaterThan(25)
    }
    expect(blocksOf(tree.at('copy-0/files/sparse'))).toBeLessThan(5000)
    expect((await to.verify({ level: 'data' })).findings).toEqual([])
  })

  it('keeps what the snapshot says of itself, and says what it is a copy of', async () => {
    const { copied } = await copySnapshots({ from, to, actor: 'the copier' })
    const original = await from.snapshot(ids[0]!)
    const copy = await to.snapshot(copied[0]!)
    const { id, checksum, counts, durationMs, copiedFrom, ...kept } = copy
    const { id: _id, checksum: _checksum, counts: _counts, durationMs: _ms, ...expected } = original
    expect(kept).toEqual(expected)
    expect(copiedFrom).toEqual({ repository: from.repositoryId, snapshot: ids[0] })
    expect(id).not.toBe(ids[0])
    expect(checksum).not.toBe(original.checksum)
    expect(durationMs).toBeGreaterThanOrEqual(0)
    expect(counts.sourceBytes).toBe(original.counts.sourceBytes)
    const theirs = await from.entries({ snapshot: ids[0]!, recursive: true, path: 'rows' }).toArray()
    expect(await to.entries({ snapshot: id, recursive: true, path: 'rows' }).toArray()).toEqual(theirs)
    expect(theirs[0]?.facts).toHaveProperty('sha256')
    expect((await to.history.list().toArray())[0]).toMatchObject({ verb: 'copy', actor: 'the copier', status: 'ok' })
  })

  it('copies what was chosen, by id or by filter, and finds the copies of copies', async () => {
    await tree.second()
    await backup(2)
    const chosen = await copySnapshots({ from, to, snapshots: { tags: ['n2'] } })
    expect((await to.snapshot(chosen.copied[0]!)).copiedFrom?.snapshot).toBe(ids[1])
    expect((await copySnapshots({ from, to, snapshots: ['latest', ids[0]!, ids[0]!] })).copied).toHaveLength(1)

    const third = await engineOn(memoryTarget(), KEY_A)
    const again = await copySnapshots({ from: to, to: third })
    expect(again.copied).toHaveLength(2)
    expect(await copySnapshots({ from, to: third })).toMatchObject({ copied: [], present: 2, bytes: 0 })
    expect(await copySnapshots({ from: third, to: from }), 'back home').toMatchObject({ copied: [], present: 2 })
    await third.close()
  })

  it('is not the parent of a backup, whose source knows nothing of its fingerprints', async () => {
    await copySnapshots({ from, to })
    const { copiedFrom } = await to.snapshot('latest')
    expect(copiedFrom).toBeDefined()
    const { snapshot } = await to.backup({ sources: tree.sources })
    expect(snapshot.parent).toBeUndefined()
    expect(snapshot.counts.newBytes, 'all content is there').toBeLessThan(200_000)
  })

  it('goes on after an abort in the middle', async () => {
    await tree.second()
    await backup(2)
    const controller = new AbortController()
    to.once('source:open', () => to.once('source:release', () => controller.abort()))
    await expect(copySnapshots({ from, to, signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await to.snapshots().toArray()).toHaveLength(0)
    const { copied } = await copySnapshots({ from, to })
    expect(copied).toHaveLength(2)
    expect((await to.verify({ level: 'data' })).findings).toEqual([])
  })

  it('ends when the other engine closes', async () => {
    to.once('source:open', () => void from.close())
    await expect(copySnapshots({ from, to })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await to.snapshots().toArray()).toEqual([])
  })

  it('keeps whole copies when the next one fails, and says whose fault it was', async () => {
    await tree.second()
    await backup(2)
    let isBroken = false
    const target = wrapTarget(localTarget(tree.at('repository')), {
      get: async (...args: Parameters<Target['get']>) => {
        if (isBroken && args[0].startsWith('packs/')) {
          throw new BackupError('TARGET_UNREACHABLE', 'cut off', { origin: 'target', retryable: true })
        }
        return await fromCalls.get(...args)
      },
    })
    const flaky = await engineOn(target, KEY_A)
    let released = 0
    to.on('source:release', () => {
      isBroken = ++released === 2
    })
    await expect(copySnapshots({ from: flaky, to })).rejects.toMatchObject({ origin: 'target', retryable: true })
    isBroken = false
    expect(await to.snapshots().toArray()).toHaveLength(1)
    expect(await copySnapshots({ from: flaky, to })).toMatchObject({ present: 1, copied: [expect.any(String)] })
    await flaky.close()
  })

  it('copies into a clone of the same repository what that has not', async () => {
    const memory = memoryTarget()
    for await (const { key } of fromCalls.list('')) await memory.put(key, await fromCalls.get(key))
    const clone = await engineOn(memory, KEY_A)
    expect(clone.repositoryId).toBe(from.repositoryId)
    await tree.second()
    await backup(2)
    const { copied, present } = await copySnapshots({ from, to: clone })
    expect([copied.length, present]).toEqual([1, 1])
    const original = await restoreInto(from, ids[1]!, tree.at('original'))
    expect(await restoreInto(clone, copied[0]!, tree.at('copy'))).toEqual(original)
    await clone.close()
  })

  it('copies no damage, and says so after all that is sound', async () => {
    const key = `snapshots/${ids[0]}`
    const bytes = await fromCalls.get(key)
    bytes[bytes.length - 1]! ^= 1
    await fromCalls.put(key, bytes)
    await backup(2)
    await expect(copySnapshots({ from, to })).rejects.toMatchObject({
      code: 'OBJECT_CORRUPT',
      details: { key, copied: 1, present: 0 },
    })
    expect(await to.snapshots().toArray()).toHaveLength(1)
  })

  it('refuses what are no two engines', async () => {
    await expect(copySnapshots({ from, to: from })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(copySnapshots({ from: {} as BackupEngine, to })).rejects.toThrow(/'from' must be an engine/)
    await expect(copySnapshots({ from, to, snapshots: [] })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(copySnapshots({ from, to, snapshots: ['2020'] })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  })
})
