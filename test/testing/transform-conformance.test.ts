import { describe, expect, it } from 'vitest'
import { transformConformance } from '../../src/testing/transform-conformance.ts'
import { aes256gcm } from '../../src/transforms/aes256gcm.ts'
import type { Transform } from '../../src/transforms/transform.ts'
import { zstd } from '../../src/transforms/zstd.ts'

/** Names of the tests that a transform fails. */
async function failures(create: () => Transform): Promise<string[]> {
  const tests: { name: string; body: () => Promise<void> | void }[] = []
  transformConformance({ describe: (_, body) => body(), it: (name, body) => tests.push({ name, body }) }, { create })
  const failed: string[] = []
  for (const { name, body } of tests) {
    try {
      await body()
    } catch {
      failed.push(name)
    }
  }
  return failed
}

const good = zstd()
const broken: [string, Partial<Transform>, string][] = [
  ['a bad id', { id: 'Zstd!' }, 'says what it is'],
  ['another API version', { apiVersion: 2 as 1 }, 'says what it is'],
  ['losing the last byte', { encode: (s, c) => good.encode(s.subarray(0, -1), c) }, 'gives back text'],
  [
    'no limit',
    { decode: (s, c) => good.decode(s, { ...c, maxBytes: 2 ** 30 }) },
    'throws rather than give more than maxBytes',
  ],
  [
    'changing its input',
    {
      encode: (s, c) => {
        const encoded = good.encode(s, c)
        s.fill(0)
        return encoded
      },
    },
    'leaves its input alone',
  ],
  [
    'one buffer for all results',
    (() => {
      const shared = new Uint8Array(2 ** 21)
      return {
        encode: (s: Uint8Array, c: object) => {
          const encoded = good.encode(s, c)
          shared.set(encoded)
          return shared.subarray(0, encoded.length)
        },
      }
    })(),
    'does not change an earlier result',
  ],
  [
    'a memory',
    { encode: (s, c) => good.encode(s.length > 4000 && calls++ % 2 ? s.subarray(1) : s, c) },
    'gives the same for the same',
  ],
  [
    'patience with cut input',
    {
      decode: (s, c) => {
        try {
          return good.decode(s, c)
        } catch (error) {
          if (String(error).includes('end of file')) return new Uint8Array(0)
          throw error
        }
      },
    },
    'throws at input that is cut short',
  ],
]
let calls = 0

describe('transformConformance', () => {
  it('passes a good one', async () => {
    expect(await failures(() => zstd())).toEqual([])
  })
  it.each(broken)('catches %s', async (_, change, test) => {
    expect(await failures(() => ({ ...good, ...change }))).toContain(test)
  })
  it('catches encryption that does not authenticate', async () => {
    const mix = (bytes: Uint8Array) => {
      const mixed = bytes.slice()
      for (let i = 0; i < mixed.length; i++) mixed[i]! ^= 0x55
      return mixed
    }
    const careless: Transform = {
      ...aes256gcm(),
      encode: (segment) => Buffer.concat([mix(segment), new Uint8Array(1)]),
      decode: (segment) => mix(segment.subarray(0, -1)),
    }
    const failed = await failures(() => careless)
    expect(failed).toContain('throws at any other byte, key, nonce or AAD')
    expect(failed).toContain('throws without a key')
  })
})
