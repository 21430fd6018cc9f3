/** Pieces of a stream on their way to a worker: how long they are, how many are ahead, and how it ends. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StreamPump } from '../../../src/engine/backup/stream-pump.ts'
import { seededBytes } from '../../chunking/seeded.ts'

const KIB = 1024
const signal = new AbortController().signal

async function* pieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + lengths[i % lengths.length]!)
    // Some own their memory, some are views of a larger one.
    yield i % 2 ? bytes.slice(at, end) : bytes.subarray(at, end)
    at = end
  }
}

/** What a worker gets: the buffer is gone for whoever sent it. */
function received(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return structuredClone(bytes, { transfer: [bytes.buffer] })
}

interface Pumped {
  bytes: Buffer
  sent: number[]
  noted: number
}

async function pump(source: AsyncIterable<Uint8Array>): Promise<Pumped> {
  const all: Uint8Array[] = []
  const sent: number[] = []
  let noted = 0
  const running = new StreamPump({
    source: 'app',
    signal,
    send: async (bytes) => {
      const mine = received(bytes)
      all.push(mine.slice())
      sent.push(mine.length)
      await new Promise((resolve) => setImmediate(resolve))
      mine.fill(0xee)
      return received(mine)
    },
    onBytes: (count) => {
      noted += count
    },
  })
  all.push((await running.run(source)).slice())
  return { bytes: Buffer.concat(all), sent, noted }
}

describe('the pump of a stream', () => {
  it('gives all bytes in order, however they come, and counts them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 3_000_000 }),
        fc.array(fc.constantFrom(1000, 16_384, 16_385, 70_000, 262_143, 262_144, 524_289, 1_500_000), {
          minLength: 1,
          maxLength: 5,
        }),
        async (length, lengths) => {
          const content = seededBytes(length, 3)
          const before = Buffer.from(content)
          const { bytes, noted } = await pump(pieces(content, lengths))
          expect(bytes.equals(before)).toBe(true)
          expect(noted).toBe(length)
        },
      ),
      { numRuns: 25 },
    )
  })

  it('gathers small pieces, and gives large ones away as they are', async () => {
    const small = await pump(pieces(seededBytes(2_000_000, 1), [1000]))
    expect(small.sent).toEqual([512, 512, 512].map((kib) => kib * KIB))
    const large = await pump(pieces(seededBytes(3_000_000, 1), [1_000_000]))
    expect(large.sent).toEqual([1_000_000, 1_000_000, 1_000_000])
    expect((await pump(pieces(seededBytes(100, 1), [7]))).sent).toEqual([])
  })

  it('is at most 2 MiB ahead of the worker, or one piece', async () => {
    let ahead = 0
    let most = 0
    const running = (length: number): Promise<Uint8Array> =>
      new StreamPump({
        source: 'app',
        signal,
        send: async (bytes) => {
          ahead += bytes.length
          most = Math.max(most, ahead)
          await new Promise((resolve) => setTimeout(resolve, 1))
          ahead -= length
          return bytes
        },
        onBytes: () => undefined,
      }).run(pieces(new Uint8Array(8 * length), [length]))
    await running(1024 * KIB)
    expect(most).toBe(2048 * KIB)
    most = 0
    await running(5000 * KIB)
    expect(most).toBe(5000 * KIB)
  })

  it('leaves the event loop its turns where the source never waits', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const until = performance.now() + 100
    const busy = async function* (): AsyncGenerator<Uint8Array> {
      const row = new Uint8Array(16)
      while (performance.now() < until) yield row
    }
    await new StreamPump({ source: 'app', signal, send: async (bytes) => bytes, onBytes: () => undefined }).run(busy())
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })

  it('ends the source where the worker fails', async () => {
    let ended = false
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(300 * KIB)
      } finally {
        ended = true
      }
    }
    const send = async (): Promise<never> => {
      throw new Error('no room')
    }
    const running = new StreamPump({ source: 'app', signal, send, onBytes: () => undefined })
    await expect(running.run(endless())).rejects.toThrow('no room')
    expect(ended).toBe(true)
  })
})
