import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../../src/targets/memory.ts'
import {
  type MirroredOptions,
  type MirrorFallOver,
  type MirrorLag,
  mirrored,
} from '../../../src/targets/wrappers/mirrored.ts'
import { body, keysOf, packKey, switched, turns } from './mirror-support.ts'

function pair(options: MirroredOptions = {}) {
  const first = switched('first')
  const second = switched('second')
  const lags: MirrorLag[] = []
  const fallOvers: MirrorFallOver[] = []
  const target = mirrored([first.target, second.target], {
    onLag: (lag) => void lags.push(lag),
    onFallOver: (fallOver) => void fallOvers.push(fallOver),
    ...options,
  })
  return { first, second, target, lags, fallOvers }
}

describe('writes to mirrored targets', () => {
  it('are done when all have them, and fail with the error of the one that has not', async () => {
    const { first, second, target, lags } = pair()
    await target.put('a', body('A'))
    expect([...first.objects.keys(), ...second.objects.keys()]).toEqual(['a', 'a'])
    second.isDead = true
    await expect(target.put('b', body('B'))).rejects.toThrow('second is dead')
    await expect(target.put('c', body('C'), { ifAbsent: true })).rejects.toThrow('second is dead')
    expect(lags.map(({ target: name, operation, keys }) => [name, operation, ...keys])).toEqual([
      ['second', 'put', 'b'],
      ['second', 'put', 'c'],
    ])
    expect(target.lagging).toEqual(['second'])
  })

  it('are done with fewer where the quorum says so, and the others follow with what was given', async () => {
    const { first, second, target } = pair({ writeQuorum: 1 })
    second.hold()
    const bytes = body('first')
    await target.put('a', bytes)
    bytes.fill(0)
    expect(first.objects.has('a')).toBe(true)
    expect(second.objects.size).toBe(0)
    let isClosed = false
    const closing = target.close().then(() => {
      isClosed = true
    })
    await turns()
    expect(isClosed).toBe(false)
    second.release()
    await closing
    expect(Buffer.from(second.objects.get('a')!).toString()).toBe('first')
  })

  it('need the first target, whatever the quorum', async () => {
    const { first, second, target } = pair({ writeQuorum: 1 })
    first.isDead = true
    await expect(target.put('a', body('A'))).rejects.toThrow('first is dead')
    await expect(target.put('b', body('B'), { ifAbsent: true })).rejects.toThrow('first is dead')
    await expect(target.delete(['a'])).rejects.toThrow('first is dead')
    expect(second.objects.has('b'), 'what nobody has decided is on no mirror').toBe(false)
  })

  it('wait while too many bytes wait for a slow mirror', async () => {
    const { first, second, target } = pair({ writeQuorum: 1, maxWaitingBytes: 10 })
    second.hold()
    await target.put('a', body('12345'))
    await target.put('b', body('12345'))
    const third = target.put('c', body('1'))
    await turns()
    expect(first.objects.has('c')).toBe(false)
    second.release()
    await third
    const controller = new AbortController()
    second.hold()
    await target.put('d', body('more than ten bytes at once'))
    const aborted = target.put('e', body('1'), { signal: controller.signal })
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    second.release()
    await target.close()
    expect([...second.objects.keys()].sort()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('keep their order on a slow mirror', async () => {
    const { second, target, lags } = pair({ writeQuorum: 1 })
    second.hold()
    await target.put('runs/1', body('run'), { ifAbsent: true })
    for (let beat = 0; beat < 5; beat++) await target.put('runs/1', body(`beat ${beat}`))
    await target.put('packs/x', body('pack'))
    await target.put('snapshots/1', body('snapshot'), { ifAbsent: true })
    await target.delete(['runs/1'])
    second.release()
    await target.close()
    expect([...second.objects.keys()]).toEqual(['packs/x', 'snapshots/1'])
    expect(lags).toEqual([])
  })

  it('of one key do not overtake each other on a mirror', async () => {
    const { second, target } = pair({ writeQuorum: 1 })
    const { put } = second.target
    second.target.put = async (...args) => {
      await turns(Number(Buffer.from(args[1]).toString().slice(6)))
      return await put(...args)
    }
    for (let delay = 30; delay >= 0; delay -= 10) await target.put('runs/1', body(`left: ${delay}`))
    await target.close()
    expect(Buffer.from(second.objects.get('runs/1')!).toString()).toBe('left: 0')
  })

  it('bring a commit to a mirror only after all that came before it', async () => {
    const { second, target } = pair({ writeQuorum: 1 })
    const { put } = second.target
    let arrive = (): void => undefined
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    second.target.put = async (...args) => {
      if (args[0].startsWith('packs/')) await arrived
      return await put(...args)
    }
    await target.put('packs/x', body('pack'))
    await target.put('snapshots/1', body('snapshot'), { ifAbsent: true })
    await target.put('reports/1', body('report'))
    await turns()
    expect([...second.objects.keys()]).toEqual(['reports/1'])
    arrive()
    await target.close()
    expect([...second.objects.keys()]).toEqual(['reports/1', 'packs/x', 'snapshots/1'])
  })

  it('delete nothing from a mirror that has missed a write, until it is healed', async () => {
    const { first, second, target } = pair({ writeQuorum: 1 })
    await target.put('packs/old', body('old'))
    second.isDead = true
    await target.put('gc/1.done', body('dead: old'))
    await turns()
    second.isDead = false
    await target.delete(['packs/old'])
    await turns()
    expect([...first.objects.keys()]).toEqual(['gc/1.done'])
    expect([...second.objects.keys()]).toEqual(['packs/old'])
    expect(await target.heal({ extra: 'delete' })).toMatchObject({ copied: 1, deleted: 1 })
    expect(target.lagging).toEqual([])
    await target.delete(['gc/1.done'])
    await target.close()
    expect(second.objects.size).toBe(0)
  })
})

describe('creating on mirrored targets', () => {
  it('has one winner among 16, through several instances, and all targets have its bytes', async () => {
    const targets = [memoryTarget(), memoryTarget(), memoryTarget()]
    const instances = Array.from({ length: 4 }, () => mirrored(targets, { writeQuorum: 2 }))
    for (let round = 0; round < 20; round++) {
      const key = `snapshots/${round}`
      const racers = Array.from({ length: 16 }, (_, i) =>
        instances[i % 4]!.put(key, body(`racer ${i}`), { ifAbsent: true }),
      )
      const outcomes = await Promise.all(racers)
      expect(outcomes.filter(Boolean)).toHaveLength(1)
      await turns()
      const winner = `racer ${outcomes.indexOf(true)}`
      for (const { objects } of targets) expect(Buffer.from(objects.get(key)!).toString()).toBe(winner)
    }
  })

  it('does not put the commit over the tombstone that came after it', async () => {
    const { first, second, target } = pair({ writeQuorum: 1 })
    second.hold()
    await target.put('snapshots/1', body('snapshot'), { ifAbsent: true })
    const other = mirrored([first.memory, second.memory])
    await other.put('snapshots/1', body('tombstone'))
    second.release()
    await target.close()
    expect(Buffer.from(second.objects.get('snapshots/1')!).toString()).toBe('tombstone')
  })

  it('reaches the mirrors although the reply of the first one was lost', async () => {
    const { first, second, target } = pair()
    const { put } = first.target
    first.target.put = async (...args) => {
      await put(...args)
      throw new (await import('../../../src/errors.ts')).BackupError('TARGET_UNREACHABLE', 'lost', { origin: 'target' })
    }
    await expect(target.put('snapshots/1', body('ours'), { ifAbsent: true })).rejects.toThrow('lost')
    await target.close()
    expect([...second.objects.keys()]).toEqual(['snapshots/1'])
  })
})

describe('reads from mirrored targets', () => {
  it('ask the first one, and a mirror only for a pack that is not there or too short', async () => {
    const { first, second, target, fallOvers } = pair()
    const bytes = body('a pack')
    const pack = packKey(bytes)
    for (const key of [pack, 'snapshots/1', 'runs/1', 'index/1', 'gc/1']) await target.put(key, bytes)
    await target.get(pack)
    expect(second.reads).toEqual([])
    await first.memory.delete([...first.objects.keys()])
    expect(await target.get(pack)).toEqual(bytes)
    expect(fallOvers).toMatchObject([{ target: 'second', operation: 'get', key: pack }])
    for (const key of ['snapshots/1', 'runs/1', 'index/1', 'gc/1']) {
      await expect(target.get(key), key).rejects.toMatchObject({ code: 'TARGET_OBJECT_NOT_FOUND' })
    }
    expect(await target.stat(pack), 'the first one has lost it, and this says so').toBeUndefined()
    expect(await keysOf(target)).toEqual([])
    await first.memory.put(pack, bytes.slice(0, 3))
    expect(await target.get(pack, { range: { start: 0, end: 6 } })).toEqual(bytes)
    await target.put('a', body('short'))
    await expect(target.get('a', { range: { start: 0, end: 9 } })).rejects.toMatchObject({ code: 'TARGET_PROTOCOL' })
  })

  it('fall over while the first one is dead, and do not wait for it each time', async () => {
    const { first, second, target, fallOvers } = pair()
    await target.put('snapshots/1', body('S'))
    first.isDead = true
    expect(await target.get('snapshots/1')).toEqual(body('S'))
    expect(await keysOf(target)).toEqual(['snapshots/1'])
    expect((await target.stat('snapshots/1'))?.size).toBe(1)
    expect(first.reads).toHaveLength(1)
    expect(fallOvers.map(({ operation }) => operation)).toEqual(['get', 'list', 'stat'])
    await expect(target.get('other')).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
    second.isDead = true
    await expect(target.get('snapshots/1')).rejects.toThrow('first is dead')
  })

  it('do not, but for packs, while a run would commit what it has read', async () => {
    const { first, target } = pair()
    const pack = packKey(body('P'))
    await target.put(pack, body('P'))
    await target.put('gc/1.done', body('old'))
    await target.put('runs/1', body('run'), { ifAbsent: true })
    first.isDead = true
    await expect(keysOf(target, 'gc/')).rejects.toThrow('first is dead')
    await expect(target.get('gc/1.done')).rejects.toThrow('first is dead')
    expect(await target.get(pack)).toEqual(body('P'))
    first.isDead = false
    await target.delete(['runs/1'])
    first.isDead = true
    expect(await keysOf(target, 'gc/')).toEqual(['gc/1.done'])
  })

  it('of which a mirror has answered some let nothing be deleted before a run reads anew', async () => {
    const { first, target } = pair()
    await target.put('index/1', body('I'))
    first.isDead = true
    await keysOf(target)
    first.isDead = false
    const refused = { code: 'TARGET_UNREACHABLE', retryable: false }
    await expect(target.put('gc/1', body('candidates'), { ifAbsent: true })).rejects.toMatchObject(refused)
    await expect(target.delete(['index/1'])).rejects.toMatchObject(refused)
    expect(first.objects.has('index/1')).toBe(true)
    await target.put('runs/1', body('a prune'), { ifAbsent: true })
    await target.put('gc/1', body('candidates'), { ifAbsent: true })
    await target.delete(['index/1'])
    await target.delete(['runs/1'])
    expect([...first.objects.keys()]).toEqual(['gc/1'])
  })
})

describe('mirrored', () => {
  it('is as able as the least of its targets', async () => {
    const small = memoryTarget({ maxBytes: 1000 })
    Object.assign(small.traits, { maxConcurrency: 2, maxObjectBytes: 500, remote: true })
    const target = mirrored([memoryTarget(), small])
    expect(target.traits).toMatchObject({ createOnly: true, maxConcurrency: 2, maxObjectBytes: 500, remote: true })
    expect(target.name).toBe('mirrored(memory, memory)')
  })

  it('closes all targets, also when one fails to', async () => {
    const first = switched('first')
    const second = switched('second')
    let closed = 0
    second.target.close = async () => void closed++
    first.target.close = async () => {
      throw new Error('stuck')
    }
    await expect(mirrored([first.target, second.target]).close()).rejects.toThrow('stuck')
    expect(closed).toBe(1)
  })

  it('refuses what cannot work', () => {
    const one = memoryTarget()
    expect(() => mirrored([])).toThrow(/at least one/)
    expect(() => mirrored([one, one])).toThrow(/twice/)
    expect(() => mirrored([one], { writeQuorum: 2 })).toThrow(/writeQuorum/)
    expect(() => mirrored([one], { writeQuorum: 0 })).toThrow(/writeQuorum/)
    expect(() => mirrored([one], { quorum: 1 } as never)).toThrow(/quorum/)
  })
})
