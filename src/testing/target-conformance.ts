/** The promises of a target (`targets/target.ts`), as tests. */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { sha256Hex } from '../crypto/hash.ts'
import type { Target } from '../targets/target.ts'
import type { Runner } from './runner.ts'
import { abortTests } from './target-abort.ts'
import { atomicityTests, createOnceTests } from './target-atomic.ts'
import { bytesOf, type DefineTest, inLanes, keysOf, rejectsWith, same, sameKeys, turn } from './target-bench.ts'
import { ownershipTests } from './target-buffers.ts'
import { type TargetConformanceOptions, TargetHarness } from './target-harness.ts'
import type { PromiseName } from './target-report.ts'

export type { TargetConformanceOptions } from './target-harness.ts'
export type { OtherProcess } from './target-processes.ts'

const KIB = 1024
/** Packs are filled up to 16 MiB, and the last segment may come on top. */
const LARGEST_OBJECT = 18 * KIB * KIB
const DELETED_AT_ONCE = 20

/**
 * Tries every promise of a target, as far as one machine can show it. One that passes can hold a repository. A test is skipped only for a trait by which the
 * target does not promise it; the runner's report and the card say so. Its tests must run one after the other.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * targetConformance({ describe, it }, { create: () => myTarget() })
 * ```
 */
export function targetConformance(runner: Runner, options: TargetConformanceOptions): void {
  const harness = new TargetHarness(runner, options)
  const under = (promise: PromiseName): DefineTest => harness.under(promise)
  runner.describe('target conformance', () => {
    descriptionTests(under('description'))
    readingTests(under('content'))
    sizeTests(under('sizes'))
    checksumTests(under('checksums'))
    keyTests(under('keys'))
    listingTests(under('list'))
    deletionTests(under('delete'))
    createOnceTests(under('createOnce'))
    harness.processTest()
    atomicityTests(under('atomic'))
    ownershipTests(under('buffers'))
    abortTests(under('abort'))
    harness.outageTest()
    harness.closeTest()
    harness.card()
  })
}

function descriptionTests(test: DefineTest): void {
  test('says what it is', async ({ target }) => {
    assert.equal(target.apiVersion, 1)
    assert.ok(target.name.length > 0)
    assert.equal(typeof target.traits.createOnly, 'boolean')
    assert.ok(Number.isInteger(target.traits.maxConcurrency) && target.traits.maxConcurrency >= 1)
    const space = (await target.space?.()) ?? {}
    for (const bytes of Object.values(space)) assert.ok(bytes >= 0, 'space in bytes')
  })
}

function sizeTests(test: DefineTest): void {
  for (const size of [0, 1, 4 * KIB, KIB * KIB + 1, LARGEST_OBJECT]) {
    test(
      `gives back ${size} bytes`,
      async ({ target, prefix }) => {
        const body = bytesOf(size)
        assert.equal(await target.put(`${prefix}a`, body), true)
        same(await target.get(`${prefix}a`), body)
        const info = await target.stat(`${prefix}a`)
        assert.deepEqual({ key: info?.key, size: info?.size }, { key: `${prefix}a`, size })
        assert.ok(info?.modifiedAt === undefined || !Number.isNaN(info.modifiedAt.getTime()), 'modifiedAt is no date')
      },
      ({ maxObjectBytes }) =>
        (maxObjectBytes ?? size) < size ? `\`traits.maxObjectBytes\` is ${maxObjectBytes}` : undefined,
    )
  }
}

function checksumTests(test: DefineTest): void {
  const sums = { sha256: sha256Hex, crc32: (body: Uint8Array) => crc32(body).toString(16).padStart(8, '0') }
  test(
    'tells the checksum of what is stored',
    async ({ target, prefix }) => {
      for (const size of [0, 1, 4 * KIB]) {
        await target.put(`${prefix}${size}`, bytesOf(size, 2))
        const { checksums = 'none' } = target.traits
        if (checksums === 'none') return
        const expected = sums[checksums](bytesOf(size, 2))
        assert.equal((await target.stat(`${prefix}${size}`))?.checksum, expected)
        for await (const { key, checksum } of target.list(`${prefix}${size}`)) {
          assert.equal(checksum ?? expected, expected, `listed for ${key}`)
        }
      }
    },
    ({ checksums = 'none' }) => (checksums === 'none' ? '`traits.checksums` is none' : undefined),
  )
}

function readingTests(test: DefineTest): void {
  test('gives back exactly the range', async ({ target, prefix }) => {
    const body = bytesOf(100 * KIB)
    await target.put(`${prefix}a`, body)
    const ends: [number, number][] = [
      [0, 1],
      [0, body.length],
      [1, 1],
      [7, 4099],
      [body.length - 1, body.length],
    ]
    for (const [start, end] of [...ends, [0, 0], [body.length, body.length]] as [number, number][]) {
      same(await target.get(`${prefix}a`, { range: { start, end } }), body.slice(start, end))
    }
  })

  test('never gives fewer bytes than asked', async ({ target, prefix }) => {
    await target.put(`${prefix}a`, bytesOf(10))
    for (const [start, end] of [
      [0, 11],
      [9, 12],
      [10, 11],
      [50, 60],
      [11, 11],
      [50, 50],
    ] as [number, number][]) {
      await rejectsWith(
        target.get(`${prefix}a`, { range: { start, end } }),
        'TARGET_PROTOCOL',
        `get of ${start} to ${end} of 10`,
      )
    }
    await rejectsWith(target.get(`${prefix}a`, { range: { start: 3, end: 2 } }), 'INVALID_OPTIONS', 'get of 3 to 2')
    await rejectsWith(target.get(`${prefix}a`, { range: { start: -1, end: 2 } }), 'INVALID_OPTIONS', 'get of -1 to 2')
  })

  test('tells a missing object', async ({ target, prefix }) => {
    await rejectsWith(target.get(`${prefix}a`), 'TARGET_OBJECT_NOT_FOUND', 'get of a missing key')
    await rejectsWith(target.get(`${prefix}a`, { range: { start: 0, end: 1 } }), 'TARGET_OBJECT_NOT_FOUND')
    assert.equal(await target.stat(`${prefix}a`), undefined)
    await target.put(`${prefix}ab`, bytesOf(1))
    assert.equal(await target.stat(`${prefix}a`), undefined, 'a prefix of a key is no key')
    assert.equal(await target.stat(prefix.slice(0, -1)), undefined, 'a folder of keys is no key')
    await rejectsWith(target.get(prefix.slice(0, -1)), 'TARGET_OBJECT_NOT_FOUND')
  })
}

function keyTests(test: DefineTest): void {
  test('takes keys of a-z, 0-9, dot, underscore, dash and slash', async ({ target, prefix }) => {
    const names = [
      'abcdefghijklmnopqrstuvwxyz',
      '0123456789',
      '.hidden',
      'a.b',
      'a..b',
      '_',
      '-',
      '-a/_b/.c/...',
      '5.done',
    ]
    const keys = [...names, `${'a-_.9/'.repeat(20)}x`, 'l'.repeat(255)].map((name) => prefix + name).sort()
    await inLanes(target, keys, (key) => target.put(key, bytesOf(keys.indexOf(key) + 1, keys.indexOf(key))))
    sameKeys(await keysOf(target, prefix), keys)
    for (const [index, key] of keys.entries()) same(await target.get(key), bytesOf(index + 1, index))
  })

  test('refuses all other keys', async ({ target, prefix }) => {
    const strange = ['A', 'é', '日', ' ', '%', '?', '#', ':', '*', '+', '\\', '\0', '\n', '\u0085', '\ud800']
    const others = [...strange.map((character) => `${prefix}a${character}`), prefix + 'l'.repeat(256)]
    await target.put(`${prefix}kept`, bytesOf(1))
    for (const key of ['', '/a', '../a', 'a/../b', './a', 'a/.', 'a/..', 'a//b', 'a/', ...others]) {
      const name = JSON.stringify(key)
      await rejectsWith(target.put(key, bytesOf(1)), 'INVALID_OPTIONS', `put of ${name}`)
      await rejectsWith(target.get(key), 'INVALID_OPTIONS', `get of ${name}`)
      await rejectsWith(target.stat(key), 'INVALID_OPTIONS', `stat of ${name}`)
      await rejectsWith(target.delete([`${prefix}kept`, key]), 'INVALID_OPTIONS', `delete of ${name}`)
    }
    assert.ok(await target.stat(`${prefix}kept`), 'something is deleted although one of the keys is none')
    for (const begin of ['/', '../', 'a/../', 'a//', ...strange.map((character) => `${prefix}a${character}`)])
      await rejectsWith(keysOf(target, begin), 'INVALID_OPTIONS', `list of ${JSON.stringify(begin)}`)
  })
}

function listingTests(test: DefineTest): void {
  test('lists every key below nested prefixes once', async ({ target, prefix, full }) => {
    // A little more than the largest page of common stores.
    const keys = Array.from({ length: full ? 1010 : 120 }, (_, i) => `${prefix}packs/${i % 7}/${i % 3}/n${i}`)
    await inLanes(target, keys, (key) => target.put(key, bytesOf(key.length)))
    for await (const { key, size } of target.list(prefix)) assert.equal(size, key.length, `size of ${key}`)
    const below = keys.filter((key) => key.startsWith(`${prefix}packs/4/`))
    sameKeys(await keysOf(target, `${prefix}packs/4/`), below)
    const kept = keys.filter((_, i) => i % 2 === 0)
    const listed = await listedWhileDeleting(target, prefix, new Set(keys.filter((_, i) => i % 2 === 1)))
    sameKeys(listed, keys, 'list, while what it has given is deleted')
    sameKeys(await keysOf(target, prefix), kept, 'list after that')
    await target.delete(kept)
    sameKeys(await keysOf(target, prefix), [], 'list after all is deleted')
  })

  test('takes a prefix as the beginning of a string', async ({ target, prefix }) => {
    const names = ['a', 'ab', 'abc/d', 'ac/d', 'b/a', 'b/ab', 'd_e', 'd.e', 'dxe']
    for (const name of names) await target.put(prefix + name, bytesOf(1))
    const expect = { '': names, a: ['a', 'ab', 'abc/d', 'ac/d'], ab: ['ab', 'abc/d'], 'ab/': [], 'abc/': ['abc/d'] }
    const more = { 'b/a': ['b/a', 'b/ab'], 'b/abc': [], zz: [], d_: ['d_e'], 'd.': ['d.e'] }
    for (const [begin, found] of Object.entries({ ...expect, ...more })) {
      const expected = found.map((name) => prefix + name)
      sameKeys(await keysOf(target, prefix + begin), expected, `list of the prefix ${begin}`)
    }
  })

  test('lists what is there throughout while other objects come and go', async ({ target, prefix }) => {
    const kept = Array.from({ length: 30 }, (_, i) => `${prefix}kept-${String(i).padStart(2, '0')}`)
    await inLanes(target, kept, (key) => target.put(key, bytesOf(1)))
    let done = false
    const churn = async (): Promise<void> => {
      for (let i = 0; !done; i++) {
        await target.put(`${prefix}churn-${i % 5}`, bytesOf(1))
        await target.put(kept[i % kept.length]!, bytesOf(2))
        await target.delete([`${prefix}churn-${(i + 3) % 5}`])
        await turn()
      }
    }
    const churning = churn()
    try {
      for (let round = 0; round < 5; round++) {
        const found = (await keysOf(target, prefix)).filter((key) => key.startsWith(`${prefix}kept`))
        sameKeys(found, kept, 'list, while others come and go')
      }
    } finally {
      done = true
      await churning
    }
  })

  test('stops listing when the reader does', async ({ target, prefix }) => {
    for (const name of ['a', 'b', 'c']) await target.put(prefix + name, bytesOf(1))
    for await (const { key } of target.list(prefix)) {
      assert.ok(key.startsWith(prefix))
      break
    }
    assert.equal((await keysOf(target, prefix)).length, 3)
  })
}

/** Some at a time, as a prune does: who pages by number then passes over others. */
async function listedWhileDeleting(target: Target, prefix: string, going: ReadonlySet<string>): Promise<string[]> {
  const listed: string[] = []
  let due: string[] = []
  for await (const { key } of target.list(prefix)) {
    listed.push(key)
    if (going.has(key)) due.push(key)
    if (due.length < DELETED_AT_ONCE) continue
    await target.delete(due)
    due = []
  }
  await target.delete(due)
  return listed
}

function deletionTests(test: DefineTest): void {
  test('deletes the given keys and nothing else', async ({ target, prefix }) => {
    const whole = (names: readonly string[]): string[] => names.map((name) => prefix + name)
    for (const key of whole(['a', 'ab', 'c/d', 'c/e', 'd_e', 'dxe'])) await target.put(key, bytesOf(1))
    await target.delete(whole(['a', 'c/d', 'd_e', 'missing', 'c', 'x/y/z']))
    sameKeys(await keysOf(target, prefix), whole(['ab', 'c/e', 'dxe']), 'list after the delete')
    await rejectsWith(target.get(`${prefix}a`), 'TARGET_OBJECT_NOT_FOUND', 'get of a missing key')
  })

  test('does not mind missing keys, the same key twice, or none', async ({ target, prefix }) => {
    await target.delete([])
    await target.delete([`${prefix}a`])
    await target.put(`${prefix}a`, bytesOf(1))
    await target.delete([`${prefix}a`, `${prefix}a`])
    assert.equal(await target.put(`${prefix}a`, bytesOf(2), { ifAbsent: true }), true, 'a deleted key is free again')
  })
}
