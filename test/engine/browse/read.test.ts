import { finished } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { workerPool } from '../../../src/workers/threads/pool.ts'
import { file, folder, listSource, noise, openEngine, symlink, watchReadings } from './browse-fixture.ts'

afterEach(() => void vi.restoreAllMocks())

const MIB = 1024 * 1024
/** Incompressible, a hole, and text: several chunks and segments. */
const mixed = Buffer.concat([noise(3 * MIB + 17), Buffer.alloc(5 * MIB), Buffer.from('the end')])
const large = noise(48 * MIB, 3)

async function backedUp(over: Parameters<typeof openEngine>[1] = {}): Promise<BackupEngine> {
  const source = listSource('s', [
    file('mixed', mixed),
    file('empty', ''),
    file('small', 'abcdef'),
    folder('d'),
    symlink('l', 'small'),
    { path: 'p', type: 'fifo' },
    { path: 't', type: 'table', fingerprint: '1', content: { from: 'bytes', bytes: Buffer.from('rows') } },
  ])
  const engine = await openEngine([source, listSource('none')], over)
  await engine.backup()
  return engine
}

async function bytesOf(engine: BackupEngine, path: string, range?: { start: number; end?: number }): Promise<Buffer> {
  const stream = await engine.read({ snapshot: 'latest', path, ...(range && { range }) })
  return Buffer.concat(await stream.toArray())
}

/** As the target, but with what `change` makes of a pack's bytes. */
function changed(inner: Target, change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): Target {
  return wrapTarget(inner, {
    get: async (key, call) => {
      const bytes = await inner.get(key, call)
      return key.startsWith('packs/') ? change(bytes) : bytes
    },
  })
}

describe('read', () => {
  it('gives a file whole, holes as zeros', async () => {
    const engine = await backedUp()
    expect((await bytesOf(engine, 's/mixed')).equals(mixed)).toBe(true)
    expect(await bytesOf(engine, 's/empty')).toHaveLength(0)
    expect((await bytesOf(engine, 's/t')).toString()).toBe('rows')
  })

  it('gives a range, half open, cut at the end of the file', async () => {
    const engine = await backedUp()
    const ranges: [number, number?][] = [[0, 1], [2], [3 * MIB, 4 * MIB], [8 * MIB - 5], [7 * MIB, 2 ** 40], [9, 9]]
    for (const [start, end] of ranges) {
      const found = await bytesOf(engine, 's/mixed', { start, ...(end !== undefined && { end }) })
      expect(found.equals(mixed.subarray(start, end)), `${start}-${end}`).toBe(true)
    }
    expect(await bytesOf(engine, 's/small', { start: 6 })).toHaveLength(0)
    expect(await bytesOf(engine, 's/empty', { start: 0 })).toHaveLength(0)
  })

  it('names the size where a range begins behind the end', async () => {
    const engine = await backedUp()
    await expect(bytesOf(engine, 's/small', { start: 7 })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('6 bytes'),
    })
  })

  it('says what it is that has no content', async () => {
    const engine = await backedUp()
    for (const [path, why] of [
      ['s', 'whole source'],
      ['s/', 'whole source'],
      ['s/d', 'is a directory'],
      ['s/l', 'is a symlink to "small"'],
      ['s/p', 'is a fifo'],
    ] as const) {
      const error = { code: 'INVALID_OPTIONS', message: expect.stringContaining(why) }
      await expect(bytesOf(engine, path), path).rejects.toMatchObject(error)
    }
  })

  it('has ENTRY_NOT_FOUND and SNAPSHOT_NOT_FOUND, and leaves nothing then', async () => {
    const engine = await backedUp()
    const readings = watchReadings()
    for (const path of ['s/none', 's/small/x', 's/smal', 'x', 'x/y', 'none/a', '/']) {
      await expect(bytesOf(engine, path), path).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
    }
    await expect(engine.read({ snapshot: 'zzzzzz', path: 's/small' })).rejects.toMatchObject({
      code: 'SNAPSHOT_NOT_FOUND',
    })
    expect(readings.left).toBe(0)
  })

  it('ends its session when it was read, destroyed or dropped in a loop', async () => {
    const engine = await backedUp()
    const readings = watchReadings()
    await bytesOf(engine, 's/mixed')
    const unread = await engine.read({ snapshot: 'latest', path: 's/mixed' })
    expect(readings.left).toBe(1)
    unread.destroy()
    for await (const piece of await engine.read({ snapshot: 'latest', path: 's/mixed' })) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    await vi.waitFor(() => expect(readings.left).toBe(0))
  })

  it('ends with ABORTED on abort and when the engine closes', async () => {
    const engine = await backedUp()
    const readings = watchReadings()
    const abort = new AbortController()
    const stream = await engine.read({ snapshot: 'latest', path: 's/mixed', signal: abort.signal })
    const ended = finished(stream)
    await new Promise((resolve) => stream.once('readable', resolve))
    abort.abort('enough')
    await expect(ended).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(engine.read({ snapshot: 'latest', path: 's/mixed', signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    const other = await engine.read({ snapshot: 'latest', path: 's/mixed' })
    const otherEnded = finished(other)
    otherEnded.catch(() => undefined)
    await engine.close()
    await expect(otherEnded).rejects.toMatchObject({ code: 'ABORTED' })
    await vi.waitFor(() => expect(readings.left).toBe(0))
  })
})

describe('read of a large file', () => {
  it('fetches no more than some megabytes ahead of its reader', async () => {
    const target = countingTarget(memoryTarget())
    const engine = await openEngine([listSource('s', [file('large', large)])], { target })
    await engine.backup()
    const packBytes = (): number =>
      target.operations.reduce(
        (sum, { operation, key, bytes }) =>
          operation === 'get' && key.startsWith('packs/') ? sum + (bytes ?? 0) : sum,
        0,
      )
    target.reset()
    const stream = await engine.read({ snapshot: 'latest', path: 's/large' })
    await wait(20)
    expect(packBytes()).toBeLessThan(MIB)
    await new Promise((resolve) => stream.once('readable', resolve))
    await wait(200)
    expect(packBytes()).toBeLessThan(12 * MIB)
    const pieces: Buffer[] = []
    for await (const piece of stream) pieces.push(piece as Buffer)
    expect(Buffer.concat(pieces).equals(large)).toBe(true)
    target.reset()
    const range = await bytesOf(engine, 's/large', { start: 40 * MIB, end: 40 * MIB + 10 })
    expect(range.equals(Buffer.from(large.subarray(40 * MIB, 40 * MIB + 10)))).toBe(true)
    expect(packBytes()).toBeLessThan(4 * MIB)
  })

  it('calls off what is being fetched when it is destroyed', async () => {
    const inner = memoryTarget()
    await (await backedUp({ target: inner })).close()
    let isSlow = false
    const called: AbortSignal[] = []
    const slow = wrapTarget(inner, {
      get: async (key, call) => {
        if (!isSlow || !key.startsWith('packs/')) return inner.get(key, call)
        called.push(call!.signal!)
        await new Promise((_, reject) => call!.signal!.addEventListener('abort', () => reject(new Error('called off'))))
        throw new Error('never')
      },
    })
    const engine = await openEngine([], { target: slow })
    const readings = watchReadings()
    const stream = await engine.read({ snapshot: 'latest', path: 's/mixed' })
    isSlow = true
    stream.resume()
    await vi.waitFor(() => expect(called.length).toBeGreaterThan(0))
    stream.destroy()
    await vi.waitFor(() => expect(readings.left).toBe(0))
    expect(called.every(({ aborted }) => aborted)).toBe(true)
  })

  it('works with real threads, several streams at once', async () => {
    await using pool = workerPool({ threads: 2 })
    const engine = await backedUp({ workers: pool })
    const all = await Promise.all([1, 2, 3].map(() => bytesOf(engine, 's/mixed')))
    expect(all.every((bytes) => bytes.equals(mixed))).toBe(true)
    await engine.close()
  })
})

describe('read of a damaged repository', () => {
  it('destroys the stream with the error, and gives no wrong byte', async () => {
    const target = memoryTarget()
    const first = await backedUp({ target })
    await first.close()
    let isBroken = false
    const flip = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      if (isBroken) bytes[bytes.length >> 1]! ^= 1
      return bytes
    }
    const engine = await openEngine([], { target: changed(target, flip) })
    const readings = watchReadings()
    const stream = await engine.read({ snapshot: 'latest', path: 's/mixed' })
    isBroken = true
    const given: Buffer[] = []
    stream.on('data', (piece: Buffer) => given.push(piece))
    await expect(finished(stream)).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
    const bytes = Buffer.concat(given)
    expect(bytes.equals(mixed.subarray(0, bytes.length))).toBe(true)
    await vi.waitFor(() => expect(readings.left).toBe(0))
  })

  it('passes on what the target says, and works again when it does', async () => {
    const target = memoryTarget()
    await (await backedUp({ target })).close()
    let isAway = false
    const gone = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      if (isAway) throw new Error('plugged out')
      return bytes
    }
    const engine = await openEngine([], { target: changed(target, gone) })
    const stream = await engine.read({ snapshot: 'latest', path: 's/mixed' })
    isAway = true
    await expect(stream.toArray()).rejects.toThrow('plugged out')
    isAway = false
    expect((await bytesOf(engine, 's/small')).toString()).toBe('abcdef')
  })
})
