import { describe, expect, it } from 'vitest'
import type { Reading } from '../../../src/engine/reading/reading.ts'
import { FetchAhead } from '../../../src/engine/restore/fetch-ahead.ts'
import type { GetPieces } from '../../../src/targets/target.ts'
import type { RestoreJob } from '../../../src/workers/restore/job.ts'

const MIB = 1024 * 1024

interface Asked {
  readonly pack: string
  readonly start: number
  readonly end: number
}

/** Byte `i` of any pack is `i / 64 KiB`, cut to 8 bits. */
function fakeReading(remote: boolean, fail = false): { reading: Reading; asked: Asked[] } {
  const asked: Asked[] = []
  const range = async (request: Asked): Promise<Uint8Array<ArrayBuffer>> => {
    asked.push(request)
    if (fail) throw new Error('gone')
    const bytes = Buffer.alloc(request.end - request.start)
    for (let i = 0; i < bytes.length; i += 65_536) bytes.fill((request.start + i) >> 16, i, i + 65_536)
    return bytes as Uint8Array<ArrayBuffer>
  }
  return { reading: { range, engine: { target: { traits: { remote } } } } as unknown as Reading, asked }
}

function job(pack: string, start: number, end: number): RestoreJob {
  return { pack, start, end, body: new Uint8Array(0), wholeFiles: 0, wholeBytes: 0, parts: [], partBytes: 0 }
}

describe('ranges for the jobs of a window', () => {
  it('are shared on a far target by jobs that lie near each other, and each job gets its own bytes', async () => {
    const jobs = [job('a', 0, 3 * MIB), job('a', 3 * MIB + 65_536, 6 * MIB), job('a', 9 * MIB, 10 * MIB)]
    const { reading, asked } = fakeReading(true)
    const fetches = new FetchAhead(reading, jobs)
    const parts = [await fetches.take(jobs[0]!), await fetches.take(jobs[1]!), await fetches.take(jobs[2]!)]
    expect(asked).toEqual([
      { pack: 'a', start: 0, end: 6 * MIB },
      { pack: 'a', start: 9 * MIB, end: 10 * MIB },
    ])
    expect(parts.map(({ length }) => length)).toEqual([3 * MIB, 3 * MIB - 65_536, MIB])
    expect(parts.map((part) => part[0])).toEqual([0, 49, 144])
    expect(parts[1]!.buffer.byteLength).toBe(parts[1]!.length)
  })

  it('are no longer than a pack, and never of two packs', async () => {
    const jobs = [job('a', 0, 10 * MIB), job('a', 10 * MIB, 20 * MIB), job('b', 20 * MIB, 21 * MIB)]
    const { reading, asked } = fakeReading(true)
    const fetches = new FetchAhead(reading, jobs)
    for (const each of jobs) await fetches.take(each)
    expect(asked).toHaveLength(3)
  })

  it('are on their way before they are asked for, as far as memory allows', async () => {
    const jobs = Array.from({ length: 6 }, (_, i) => job(`${i}`, 0, 12 * MIB))
    const { reading, asked } = fakeReading(true)
    const fetches = new FetchAhead(reading, jobs)
    const first = fetches.take(jobs[0]!)
    expect(asked.map(({ pack }) => pack)).toEqual(['0', '1', '2', '3'])
    await first
    expect(asked.map(({ pack }) => pack)).toEqual(['0', '1', '2', '3', '4'])
  })

  it('are fetched one by one, when they are needed, from a near target', async () => {
    const jobs = [job('a', 0, MIB), job('a', MIB, 2 * MIB)]
    const { reading, asked } = fakeReading(false)
    const fetches = new FetchAhead(reading, jobs)
    await fetches.take(jobs[0]!)
    expect(asked).toEqual([{ pack: 'a', start: 0, end: MIB }])
    await fetches.take(jobs[1]!)
    expect(asked).toHaveLength(2)
  })

  it('are used while they are still coming, where the target gives pieces', async () => {
    const jobs = [job('a', 0, MIB), job('a', 2 * MIB, 3 * MIB)]
    const { promise: rest, reject: breakOff } = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
    let places: GetPieces['places'] = []
    const range = (_: Asked, __: unknown, pieces: GetPieces): Promise<Uint8Array<ArrayBuffer>> => {
      places = pieces.places
      pieces.take(0, new Uint8Array([1]))
      // As after a failure of which the target has made good.
      pieces.take(0, new Uint8Array([2]))
      return rest
    }
    const reading = { range, engine: { target: { traits: { remote: true } } } } as unknown as Reading
    const fetches = new FetchAhead(reading, jobs)
    const second = fetches.take(jobs[1]!)
    expect(await fetches.take(jobs[0]!)).toEqual(new Uint8Array([1]))
    expect(places).toEqual([
      { start: 0, end: MIB },
      { start: 2 * MIB, end: 3 * MIB },
    ])
    breakOff(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
  })

  it('tell every job that shares them of a failure', async () => {
    const jobs = [job('a', 0, MIB), job('a', MIB, 2 * MIB)]
    const fetches = new FetchAhead(fakeReading(true, true).reading, jobs)
    await expect(fetches.take(jobs[0]!)).rejects.toThrow('gone')
    await expect(fetches.take(jobs[1]!)).rejects.toThrow('gone')
  })
})
