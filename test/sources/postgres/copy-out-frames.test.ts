import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CopyFrames } from '../../../src/sources/postgres/copy-out-frames.ts'

function message(code: string, payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload as string)
  const head = Buffer.alloc(5)
  head.write(code)
  head.writeUInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

/** Feeds the bytes cut at these places, each piece in memory of its own, since it is changed. */
function feed(bytes: Buffer, cuts: readonly number[]): { data: Buffer; rest: Buffer | undefined } {
  const frames = new CopyFrames()
  const edges = [0, ...[...cuts].map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
  const pieces: Uint8Array[] = []
  let rest: Buffer | undefined
  for (let i = 1; i < edges.length; i++) {
    const chunk = Buffer.from(bytes.subarray(edges[i - 1], edges[i]))
    if (rest !== undefined) rest = Buffer.concat([rest, chunk])
    else rest = frames.push(chunk)
    for (let piece = frames.take(); piece !== undefined; piece = frames.take()) pieces.push(piece)
  }
  expect(frames.readyBytes).toBe(0)
  return { data: Buffer.concat(pieces), rest }
}

describe('messages of a COPY', () => {
  it('give the rows, whatever the network makes of them, and leave what follows', () => {
    const rows = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 40 })
    fc.assert(
      fc.property(rows, fc.array(fc.nat(3000), { maxLength: 20 }), fc.boolean(), (data, cuts, fails) => {
        const end = fails ? message('E', 'SERROR\0\0') : message('c', '')
        const after = Buffer.concat([message('C', 'COPY 1\0'), message('Z', 'I')])
        const stream = [
          message('H', '\0\0\0'),
          ...data.map((row) => message('d', row)),
          message('N', 'note'),
          end,
          after,
        ]
        const { data: got, rest } = feed(Buffer.concat(stream), cuts)
        expect(got.equals(Buffer.concat(data))).toBe(true)
        expect(rest?.equals(fails ? Buffer.concat([end, after]) : after)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('pass a row larger than any piece in pieces of bounded size', () => {
    const row = Buffer.alloc(3_000_001, 'x')
    const frames = new CopyFrames()
    const bytes = message('d', row)
    let total = 0
    for (let at = 0; at < bytes.length; at += 65_536) {
      frames.push(Buffer.from(bytes.subarray(at, at + 65_536)))
      for (let piece = frames.take(); piece !== undefined; piece = frames.take()) {
        expect(piece.length).toBeLessThanOrEqual(1024 * 1024)
        expect(piece.buffer.byteLength).toBeLessThanOrEqual(1024 * 1024)
        total += piece.length
      }
    }
    frames.push(message('c', ''))
    expect(total + frames.take()!.length).toBe(row.length)
  })
})
