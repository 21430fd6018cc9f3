/** Many records are kept in one file of the cache, which is believed no more than the files of few are. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { DiskCache } from '../../src/repository/cache/disk-cache.ts'
import { NO_CACHE, type ObjectCache } from '../../src/repository/cache/object-cache.ts'
import { Snapshots } from '../../src/repository/snapshots.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { freshRepository, NOW, putSnapshot, snapshotOf } from './fixtures.ts'

const COUNT = 70

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bundle-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const nearby = (): ObjectCache => new DiskCache({ directory, maxBytes: 1 << 26, onWarning: () => {} })
const bundle = (): string => join(directory, 'bundles', 'snapshots')
const idOf = (n: number): string => `s${String(n).padStart(3, '0')}`

/** A repository of `COUNT` snapshots, and what each process reads of it. */
async function place() {
  const made = await freshRepository({ key: 'none' })
  for (let n = 0; n < COUNT; n++) {
    await putSnapshot(made, snapshotOf(idOf(n), { createdAt: new Date(NOW.getTime() + n) }))
  }
  const gets: string[] = []
  const watched = wrapTarget(made.target, {
    get: (key, options) => {
      gets.push(key)
      return made.target.get(key, options)
    },
  })
  /** As a new process lists them. */
  const listed = async (near: ObjectCache = nearby()) => {
    gets.length = 0
    return await new Snapshots(made.records.through(watched), near).list()
  }
  return { ...made, gets, listed }
}

it('is one file, of which the next process reads all', async () => {
  const { gets, listed } = await place()
  const expected = await listed(NO_CACHE)
  expect(await listed()).toEqual(expected)
  expect([gets.length, readdirSync(directory)]).toEqual([COUNT, ['bundles']])
  expect(await listed()).toEqual(expected)
  expect(gets).toEqual([])
})

it('is joined by files of their own for what comes later, until that is much', async () => {
  const { gets, listed, ...made } = await place()
  await listed()
  const before = readFileSync(bundle())
  await putSnapshot(made, snapshotOf('t1', { createdAt: new Date(NOW.getTime() + 1000) }))
  expect((await listed()).snapshots[0]!.id).toBe('t1')
  expect([gets, readdirSync(join(directory, 'snapshots')).length]).toEqual([['snapshots/t1'], 1])
  expect(readFileSync(bundle()).equals(before)).toBe(true)
  for (let n = 0; n < COUNT; n++) await putSnapshot(made, snapshotOf(`u${n}`, { createdAt: NOW }))
  expect([(await listed()).snapshots.length, gets.length]).toEqual([COUNT * 2 + 1, COUNT])
  expect(readFileSync(bundle()).length).toBeGreaterThan(before.length)
  expect([(await listed()).snapshots.length, gets]).toEqual([COUNT * 2 + 1, []])
})

it('is passed by where it is damaged', async () => {
  const { gets, listed } = await place()
  const expected = await listed()
  const whole = readFileSync(bundle())
  for (const damaged of [
    whole.subarray(0, whole.length >> 1),
    Buffer.alloc(0),
    Buffer.alloc(whole.length, 0xff),
    Buffer.from(whole).fill(0x20, 1000, 1100),
  ]) {
    rmSync(join(directory, 'snapshots'), { recursive: true, force: true })
    writeFileSync(bundle(), damaged)
    expect(await listed()).toEqual(expected)
    expect(gets.length).toBeGreaterThan(0)
    expect(await listed()).toEqual(expected)
    expect(gets).toEqual([])
  }
})

it('does not hide that a snapshot was forgotten', async () => {
  const { listed, target, records } = await place()
  await listed()
  const id = idOf(7)
  const tombstone = tombstoneRecord.encode({ id, reason: 'forgotten', at: NOW })
  await target.put(`snapshots/${id}`, records.seal('snapshots', `snapshots/${id}`, tombstone))
  const { snapshots, tombstones } = await listed()
  expect([snapshots.length, [...tombstones.keys()]]).toEqual([COUNT - 1, [id]])
})
