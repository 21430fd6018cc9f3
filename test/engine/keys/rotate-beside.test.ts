/** Keys that one host rotates while another is in the middle of something, or is open for long. */
import { describe, expect, it } from 'vitest'
import { type BackupEngine, type Target, wrapTarget } from '../../../src/index.ts'
import {
  ANN,
  BEN,
  CARLA,
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

/** Two snapshots, of which the first is forgotten, and Ben's key. */
async function prepare(): Promise<MemoryTarget> {
  const target = freshTarget()
  await using(target, ANN, async (engine) => {
    await engine.keys.add(BEN, { label: 'Ben' })
    await engine.backup()
    grow(40)
    await engine.backup()
    const [, first] = await engine.snapshots().toArray()
    const plan = await engine.planForget({ snapshots: [first!.id] })
    await engine.forget(plan, { confirm: plan.digest })
  })
  return target
}

/** Before the n-th call from now on, `act` happens. */
function interrupted(inner: Target): {
  target: Target
  calls: () => number
  at(n: number, act: () => Promise<void>): void
} {
  let count = 0
  let when = Number.POSITIVE_INFINITY
  let act: () => Promise<void> = async () => {}
  const before = async (): Promise<void> => {
    if (count++ === when) await act()
  }
  const target = wrapTarget(inner, {
    put: async (key, body, call) => {
      await before()
      return inner.put(key, body, call)
    },
    get: async (key, call) => {
      await before()
      return inner.get(key, call)
    },
    stat: async (key, call) => {
      await before()
      return inner.stat(key, call)
    },
    delete: async (keys, call) => {
      await before()
      return inner.delete(keys, call)
    },
    async *list(prefix, call) {
      await before()
      yield* inner.list(prefix, call)
    },
    close: async () => {},
  } satisfies Partial<Target>)
  return {
    target,
    calls: () => count,
    at(n, what) {
      count = 0
      when = n
      act = what
    },
  }
}

async function prune(engine: BackupEngine, rekeyOldData: boolean): Promise<void> {
  const plan = await engine.planPrune({ keepDeletedMs: 0, rekeyOldData })
  await engine.prune(plan, { confirm: plan.digest })
}

describe('a rotation and a backup of another host, in the middle of a prune', () => {
  it.each([false, true])('at any of its calls (rekeyOldData: %s)', async (rekeyOldData) => {
    const prepared = await prepare()
    const counted = interrupted(await copyOf(prepared))
    await using(counted.target, BEN, async (ben) => {
      counted.at(Number.POSITIVE_INFINITY, async () => {})
      await prune(ben, rekeyOldData)
    })
    const found = new Map<string, number>()
    for (let n = 0; n < counted.calls(); n += 3) {
      const inner = await copyOf(prepared)
      const ann = await open(inner, ANN)
      const { target, at } = interrupted(inner)
      const code = await using(target, BEN, async (ben) => {
        at(n, async () => {
          await ann.keys.rotate()
          grow(41)
          await ann.backup()
        })
        return codeOf(prune(ben, rekeyOldData))
      })
      found.set(code, (found.get(code) ?? 0) + 1)
      expect((await ann.verify({ level: 'data' })).findings, `at call ${n}`).toEqual([])
      await ann.close()
    }
    expect([...found.keys()]).toEqual(['resolved'])
  })
})

describe('an engine that is open for long', () => {
  it('writes nothing for those whom a rotation has shut out, whatever it writes first', async () => {
    const prepared = await prepare()
    const verbs: Readonly<Record<string, (engine: BackupEngine) => Promise<unknown>>> = {
      annotate: (engine) => engine.annotate('latest', { description: 'not for Ben' }),
      forget: async (engine) => {
        const plan = await engine.planForget({ snapshots: ['latest'] })
        await engine.forget(plan, { confirm: plan.digest })
      },
      verify: (engine) => engine.verify({ level: 'data' }),
      undoForget: async (engine) => engine.undoForget((await engine.forgotten().toArray())[0]!.id),
      erase: async (engine) => {
        const plan = await engine.planErase({ paths: ['a'] })
        await engine.erase(plan, { confirm: plan.digest })
      },
      prune: (engine) => prune(engine, false),
      drill: (engine) => engine.drill(),
      addKey: (engine) => engine.keys.add(CARLA, { label: 'Carla' }),
    }
    for (const [verb, work] of Object.entries(verbs)) {
      const target = await copyOf(prepared)
      const ann = await open(target, ANN)
      await using(target, ANN, async (other) => {
        const [, ben] = await other.keys.list()
        await other.keys.remove(ben!.id)
        await other.keys.rotate()
      })
      const before = new Set(target.objects.keys())
      await work(ann)
      const stored = [...target.objects.keys()].filter((key) => !before.has(key) && !/^(config|keys)\//.test(key))
      expect(stored.length, verb).toBeGreaterThan(0)
      for (const key of stored) expect(epochsBelow(target, key), `${verb}: ${key}`).toEqual([2])
      await ann.close()
    }
  })

  it('learns of new keys where it reads one record alone', async () => {
    const target = await prepare()
    const ben = await open(target, BEN)
    const runId = await using(target, ANN, async (ann) => {
      await ann.keys.rotate()
      await ann.annotate('latest', { name: 'new' })
      return (await ann.verify()).runId
    })
    expect((await ben.history.get(runId)).verb).toBe('verify')
    expect((await ben.snapshot('latest')).name).toBe('new')
    await ben.close()
  })
})

it('entries of a local cache outlive rotations, and what was sealed anew is read anew', async () => {
  const { mkdtempSync, rmSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-keys-'))
  try {
    const inner = await prepare()
    const far = wrapTarget(inner, { traits: { ...inner.traits, remote: true }, close: async () => {} })
    const cache = { directory }
    const look = async (key: typeof ANN): Promise<unknown> => {
      const engine = await open(far, key, { cache })
      const entries = await engine.entries({ snapshot: 'latest', recursive: true }).toArray()
      expect((await engine.verify({ level: 'data' })).findings).toEqual([])
      await engine.close()
      return entries.map(({ path }) => path)
    }
    const paths = await look(ANN)
    const ann = await open(far, ANN, { cache })
    // Cached by one who knows the new keys, met by one who has not heard of them.
    const ben = await open(far, BEN, { cache })
    await ann.keys.rotate()
    expect(await look(ANN)).toEqual(paths)
    await ann.annotate('latest', { name: 'cached under the new keys' })
    await ann.keys.rotate({ rekeyOldData: true })
    expect((await ben.snapshot('latest')).name).toBe('cached under the new keys')
    expect(await look(BEN)).toEqual(paths)
    expect([...new Set(epochsBelow(inner, 'packs/'))]).toEqual([3])
    expect(keysBelow(inner, 'index/').length).toBeGreaterThan(0)
    await Promise.all([ann.close(), ben.close()])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
