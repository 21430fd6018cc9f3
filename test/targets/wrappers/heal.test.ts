import { describe, expect, it } from 'vitest'
import { type HealProgress, mirrored } from '../../../src/targets/wrappers/mirrored.ts'
import { body, keysOf, packKey, switched } from './mirror-support.ts'

function pair() {
  const first = switched('first')
  const second = switched('second')
  return { first, second, target: mirrored([first.target, second.target]) }
}

const flipped = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))

describe('heal', () => {
  it('copies what is missing and replaces what is different, packs first and snapshots last', async () => {
    const { first, second, target } = pair()
    const pack = body('pack')
    const keys = ['snapshots/1', 'config/1', 'index/1', 'runs/1', packKey(pack)]
    for (const key of keys) await first.memory.put(key, key.startsWith('packs') ? pack : body(key))
    await second.memory.put('config/1', body('config/1'))
    await second.memory.put('index/1', body('a tombstone of another length'))
    await second.memory.put('runs/1', body('beat/1'))
    const order: string[] = []
    const { put } = second.target
    second.target.put = async (...args) => {
      order.push(args[0])
      return await put(...args)
    }
    const progress: HealProgress[] = []
    const result = await target.heal({ onProgress: (step) => void progress.push(step) })
    expect(result).toEqual({ copied: 2, replaced: 2, repaired: 0, deleted: 0, extra: 0, damaged: [], bytes: 28 })
    expect(order).toEqual([packKey(pack), 'index/1', 'runs/1', 'snapshots/1'])
    expect(progress.at(-1)).toEqual({ target: 'second', done: 5, total: 5 })
    expect(second.objects).toEqual(first.objects)
    expect(await target.heal({ compare: 'bytes' })).toMatchObject({ copied: 0, replaced: 0, bytes: 0 })
  })

  it('keeps what only a mirror has, unless told that it is too much', async () => {
    const { first, second, target } = pair()
    await first.memory.put('a', body('A'))
    for (const key of ['a', 'snapshots/forgotten', 'packs/dead']) await second.memory.put(key, body('A'))
    expect(await target.heal()).toMatchObject({ extra: 2, deleted: 0 })
    expect(second.objects.size).toBe(3)
    expect(await target.heal({ extra: 'delete' })).toMatchObject({ extra: 0, deleted: 2 })
    expect([...second.objects.keys()]).toEqual(['a'])
  })

  it('finds damage of packs wherever it is, and mends it from the sound one', async () => {
    const { first, second, target } = pair()
    const [one, two, three] = [body('pack one'), body('pack two'), body('pack three')] as const
    for (const pack of [one, two, three]) await target.put(packKey(pack), pack)
    await first.memory.put(packKey(one), flipped(one))
    await second.memory.put(packKey(two), flipped(two))
    await first.memory.put(packKey(three), flipped(three))
    await second.memory.put(packKey(three), three.slice(1))
    const result = await target.heal({ compare: 'bytes' })
    expect(result).toMatchObject({ replaced: 1, repaired: 1, damaged: [packKey(three)] })
    for (const { objects } of [first, second]) {
      expect(objects.get(packKey(one))).toEqual(one)
      expect(objects.get(packKey(two))).toEqual(two)
    }
    expect(second.objects.get(packKey(three)), 'one damage does not replace another').toEqual(three.slice(1))
  })

  it('does not spread a damaged pack to a mirror that has none', async () => {
    const { first, second, target } = pair()
    const pack = body('pack')
    await first.memory.put(packKey(pack), flipped(pack))
    expect(await target.heal()).toMatchObject({ copied: 0, damaged: [packKey(pack)] })
    expect(second.objects.size).toBe(0)
  })

  it('touches nothing where the two are not one repository, or the first one is empty', async () => {
    const { first, second, target } = pair()
    await second.memory.put('config/1', body('theirs'))
    await expect(target.heal({ extra: 'delete' })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
    await first.memory.put('other', body('a file'))
    await expect(target.heal({ extra: 'delete' })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
    await first.memory.put('config/1', body('mine'))
    await expect(target.heal({ extra: 'delete' })).rejects.toMatchObject({ code: 'REPOSITORY_FOREIGN' })
    expect([...second.objects.keys()]).toEqual(['config/1'])
  })

  it('goes beside writes: what is deleted meanwhile does not come back', async () => {
    const { first, second, target } = pair()
    for (let i = 0; i < 50; i++) await first.memory.put(`runs/${i}`, body('run'))
    const deleting = { done: Promise.resolve() }
    const { get } = first.target
    first.target.get = async (...args) => {
      const bytes = await get(...args)
      if (args[0] === 'runs/7') deleting.done = target.delete(['runs/7', 'runs/49'])
      return bytes
    }
    await target.heal()
    await deleting.done
    expect(await keysOf(second.memory)).toEqual(await keysOf(first.memory))
    expect(second.objects.size).toBe(48)
  })

  it('does not delete what has been created since it looked', async () => {
    const { first, second, target } = pair()
    await first.memory.put('a', body('A'))
    await second.memory.put('notes/1', body('left behind'))
    const onProgress = (): void => void first.memory.put('notes/1', body('new'))
    expect(await target.heal({ extra: 'delete', onProgress })).toMatchObject({ copied: 1, deleted: 0 })
    expect(second.objects.has('notes/1')).toBe(true)
  })

  it('stops on abort, and fails with a mirror that is dead', async () => {
    const { first, second, target } = pair()
    for (let i = 0; i < 20; i++) await first.memory.put(`a${i}`, body('A'))
    const controller = new AbortController()
    const onProgress = ({ done }: HealProgress): void => {
      if (done === 5) controller.abort()
    }
    await expect(target.heal({ signal: controller.signal, onProgress })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(second.objects.size).toBeLessThan(20)
    second.isDead = true
    await expect(target.heal()).rejects.toThrow('second is dead')
    second.isDead = false
    expect((await target.heal()).copied).toBeGreaterThan(0)
    expect(second.objects.size).toBe(20)
  })
})
