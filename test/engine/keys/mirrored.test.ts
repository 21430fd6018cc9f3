/** Keys of a repository that lies in two places: changes reach both, and one that lags is never taken for tampering for good. */
import { describe, expect, it } from 'vitest'
import { type BackupEngine, BackupError, mirrored, type Target, wrapTarget } from '../../../src/index.ts'
import {
  ANN,
  BEN,
  codeOf,
  copyOf,
  epochsBelow,
  freshTarget,
  grow,
  keysBelow,
  type MemoryTarget,
  open,
  using,
} from './support.ts'

interface Breakable {
  target: Target
  inner: MemoryTarget
  down: boolean
}

function breakable(): Breakable {
  const inner = freshTarget()
  const check = (): void => {
    if (place.down) throw new BackupError('TARGET_UNREACHABLE', 'down', { origin: 'target', retryable: true })
  }
  const target = wrapTarget(inner, {
    put: async (key, body, call) => {
      check()
      return inner.put(key, body, call)
    },
    get: async (key, call) => {
      check()
      return inner.get(key, call)
    },
    stat: async (key, call) => {
      check()
      return inner.stat(key, call)
    },
    delete: async (keys, call) => {
      check()
      return inner.delete(keys, call)
    },
    async *list(prefix, call) {
      check()
      yield* inner.list(prefix, call)
    },
    close: async () => {},
  })
  const place: Breakable = { target, inner, down: false }
  return place
}

const places = (): [Breakable, Breakable] => [breakable(), breakable()]

function same(a: MemoryTarget, b: MemoryTarget, prefix: string): void {
  expect(keysBelow(b, prefix).sort(), prefix).toEqual(keysBelow(a, prefix).sort())
  for (const key of keysBelow(a, prefix)) expect(Buffer.compare(a.objects.get(key)!, b.objects.get(key)!), key).toBe(0)
}

async function rotated(engine: BackupEngine, n: number): Promise<void> {
  await engine.keys.rotate()
  grow(n)
  await engine.backup()
}

describe('keys on mirrored targets', () => {
  it('change and rotate on both, and either of them opens alone', async () => {
    const [first, second] = places()
    const engine = await open(mirrored([first.target, second.target]), ANN)
    await engine.backup()
    const { id } = await engine.keys.add(BEN, { label: 'Ben' })
    await rotated(engine, 110)
    await engine.keys.remove(id)
    const { rekeyed } = await engine.keys.rotate({ rekeyOldData: true })
    expect(rekeyed?.state).toBe('done')
    await engine.close()
    for (const prefix of ['config/', 'keys/', 'packs/', 'index/', 'snapshots/']) same(first.inner, second.inner, prefix)
    for (const { inner } of [first, second]) {
      expect(await codeOf(open(inner, BEN))).toBe('KEY_WRONG')
      expect([...new Set(epochsBelow(inner, 'packs/'))]).toEqual([3])
      await using(inner, ANN, async (alone) => {
        expect((await alone.verify({ level: 'data' })).findings).toEqual([])
        expect((await alone.keys.verify()).filter(({ severity }) => severity === 'error')).toEqual([])
      })
    }
  })

  it('rotated while the mirror is away: it heals, and until then a restore from it works as far as it goes', async () => {
    const [first, second] = places()
    const both = (): Target => mirrored([first.target, second.target], { writeQuorum: 1 })
    const engine = await open(both(), ANN)
    await engine.backup()
    second.down = true
    await rotated(engine, 111)
    second.down = false
    await engine.close()
    first.down = true
    await using(both(), ANN, async (old) => expect(await old.snapshots().toArray()).toHaveLength(1))
    // An engine that knows better says that what it sees is not the newest.
    first.down = false
    const knows = await open(both(), ANN)
    const pin = await knows.pin()
    first.down = true
    expect(await codeOf(knows.keys.list())).toBe('CONFIG_TAMPERED')
    expect(await codeOf(open(both(), ANN, { pin }))).toBe('ROLLED_BACK')
    first.down = false
    expect(await codeOf(knows.backup())).toBe('resolved')
    await knows.close()
    const healing = mirrored([first.target, second.target])
    await healing.heal()
    await healing.close()
    for (const prefix of ['config/', 'keys/', 'packs/', 'index/', 'snapshots/']) same(first.inner, second.inner, prefix)
    first.down = true
    await using(both(), ANN, async (healed) => {
      expect(await healed.snapshots().toArray()).toHaveLength(3)
      expect((await healed.entries({ snapshot: 'latest', recursive: true }).toArray()).length).toBeGreaterThan(2)
    })
  })

  it('are not changed while the first target is away, nor in one of the two alone', async () => {
    const [first, second] = places()
    const engine = await open(mirrored([first.target, second.target]), ANN)
    await engine.backup()
    const before = await copyOf(second.inner)
    first.down = true
    expect(await codeOf(engine.keys.rotate())).toBe('TARGET_UNREACHABLE')
    expect(await codeOf(engine.keys.add(BEN, { label: 'Ben' }))).toBe('TARGET_UNREACHABLE')
    same(before, second.inner, 'config/')
    same(before, second.inner, 'keys/')
    first.down = false
    expect((await engine.keys.rotate()).generation).toBe(2)
    await engine.backup()
    await engine.close()
  })
})
