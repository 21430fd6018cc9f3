import assert from 'node:assert/strict'
import type { Transform, TransformContext } from '../transforms/transform.ts'
import type { Runner } from './runner.ts'

const KIB = 1024
const CONTEXT: TransformContext = {
  key: new Uint8Array(32).fill(7),
  nonce: new Uint8Array(12),
  aad: new Uint8Array([1, 2, 3]),
}

/**
 * The promises of a transform, as tests: `create` gives a fresh one each time. A transform that passes can be given to
 * an engine.
 *
 * ```ts
 * transformConformance({ describe, it }, { create: () => brotli() })
 * ```
 */
export function transformConformance(runner: Runner, { create }: { create(): Transform }): void {
  runner.describe('transform conformance', () => {
    describes(runner, create)
    roundTrips(runner, create)
    isPure(runner, create)
    keepsLimits(runner, create)
    noticesDamage(runner, create)
    if (create().kind === 'encrypt') encrypts(runner, create)
  })
}

function describes({ it }: Runner, create: () => Transform): void {
  it('says what it is', () => {
    const { apiVersion, id, kind, worker } = create()
    assert.equal(apiVersion, 1)
    assert.match(id, /^[a-z0-9-]{1,32}$/)
    assert.ok(['compress', 'encrypt', 'other'].includes(kind), `kind ${kind}`)
    assert.equal(create().id, id)
    if (worker !== undefined) assert.ok(worker.url instanceof URL && worker.export.length > 0)
  })
}

function roundTrips({ it }: Runner, create: () => Transform): void {
  for (const [name, make] of Object.entries(CONTENTS)) {
    it(`gives back ${name}`, () => {
      const transform = create()
      for (const length of [0, 1, 2, 15, 16, 17, 255, 256, 4095, 65_537, 1024 * KIB]) {
        const content = make(length)
        same(decode(transform, encode(transform, content), length), content)
      }
    })
  }
  it('reads what another instance wrote', () => {
    const content = text(10_000)
    same(decode(create(), encode(create(), content), content.length), content)
  })
  it('takes a view into a larger buffer', () => {
    const transform = create()
    const large = text(3000)
    const encoded = encode(transform, large.subarray(1000, 2000))
    const padded = new Uint8Array(encoded.length + 20).fill(9)
    padded.set(encoded, 10)
    same(decode(transform, padded.subarray(10, 10 + encoded.length), 1000), large.subarray(1000, 2000))
  })
}

function isPure({ it }: Runner, create: () => Transform): void {
  it('gives the same for the same', () => {
    const transform = create()
    const content = text(5000)
    const first = encode(transform, content).slice()
    encode(transform, noise(3000))
    same(encode(transform, content), first)
  })
  it('leaves its input alone', () => {
    const transform = create()
    const content = text(5000)
    const encoded = encode(transform, content)
    same(content, text(5000))
    const before = encoded.slice()
    decode(transform, encoded, content.length)
    same(encoded, before)
  })
  it('does not change an earlier result', () => {
    const transform = create()
    const first = encode(transform, text(5000))
    const kept = first.slice()
    const decoded = decode(transform, first, 5000)
    decode(transform, encode(transform, noise(5000)), 5000)
    same(first, kept)
    same(decoded, text(5000))
  })
}

function keepsLimits({ it }: Runner, create: () => Transform): void {
  it('throws rather than give more than maxBytes', () => {
    const transform = create()
    for (const content of [text(20_000), new Uint8Array(4096 * KIB)]) {
      const encoded = encode(transform, content)
      for (const maxBytes of [0, 1, 1000, content.length - 1]) {
        assert.throws(() => decode(transform, encoded, maxBytes), `maxBytes ${maxBytes}`)
      }
    }
  })
  it('may be given a larger maxBytes than it needs', () => {
    const transform = create()
    same(decode(transform, encode(transform, text(1000)), 64 * KIB * KIB), text(1000))
  })
}

function noticesDamage({ it }: Runner, create: () => Transform): void {
  // A transform of another kind need not notice: chunk ids do. But neither may it hang, or break its limit.
  it('throws at damaged input, or stays within maxBytes', () => {
    const transform = create()
    const content = text(3000)
    const encoded = encode(transform, content)
    for (let i = 0; i < encoded.length; i += Math.max(1, encoded.length >> 7)) {
      const damaged = encoded.slice()
      damaged[i] = (damaged[i] as number) ^ 0x10
      attempt(transform, damaged, content.length)
    }
    for (let length = 0; length < 300; length += 7) attempt(transform, noise(length), 1000)
  })
  if (create().kind === 'other') return
  it('throws at input that is cut short', () => {
    const transform = create()
    const encoded = encode(transform, text(3000))
    for (const length of [0, 1, encoded.length >> 1, encoded.length - 1]) {
      assert.throws(() => decode(transform, encoded.subarray(0, length), 3000), `${length} bytes`)
    }
  })
}

function encrypts({ it }: Runner, create: () => Transform): void {
  it('throws at any other byte, key, nonce or AAD', () => {
    const transform = create()
    const encoded = encode(transform, text(300))
    for (let i = 0; i < encoded.length; i++) {
      const damaged = encoded.slice()
      damaged[i] = (damaged[i] as number) ^ 1
      assert.throws(() => decode(transform, damaged, 300), `byte ${i}`)
    }
    const others = [{ key: new Uint8Array(32) }, { nonce: new Uint8Array(12).fill(1) }, { aad: new Uint8Array(3) }]
    for (const other of others) {
      assert.throws(() => transform.decode(encoded, { ...CONTEXT, ...other, maxBytes: 300 }), Object.keys(other)[0])
    }
  })
  it('throws without a key', () => {
    assert.throws(() => create().encode(text(10), {}))
  })
  it('adds the same number of bytes to every input', () => {
    const transform = create()
    const added = [0, 1, 15, 16, 17, 100_000].map((length) => encode(transform, text(length)).length - length)
    assert.equal(new Set(added).size, 1, `adds ${added.join(', ')}`)
  })
  it('hides the content', () => {
    const encoded = Buffer.from(encode(create(), text(3000)))
    assert.equal(encoded.indexOf(text(3000).subarray(0, 32)), -1)
  })
}

function encode(transform: Transform, content: Uint8Array): Uint8Array {
  return transform.encode(content, CONTEXT)
}

function decode(transform: Transform, encoded: Uint8Array, maxBytes: number): Uint8Array {
  return transform.decode(encoded, { ...CONTEXT, maxBytes })
}

function attempt(transform: Transform, encoded: Uint8Array, maxBytes: number): void {
  let decoded: Uint8Array
  try {
    decoded = decode(transform, encoded, maxBytes)
  } catch (error) {
    assert.ok(error instanceof Error, 'throws an Error')
    return
  }
  assert.ok(decoded.length <= maxBytes, `${decoded.length} bytes, more than ${maxBytes}`)
}

function same(actual: Uint8Array, expected: Uint8Array): void {
  assert.ok(actual instanceof Uint8Array, 'gives a Uint8Array')
  assert.equal(actual.length, expected.length)
  // Not deepEqual: it would print megabytes, and tell a Buffer from a Uint8Array.
  assert.ok(Buffer.compare(actual, expected) === 0, 'the bytes differ')
}

const CONTENTS: Record<string, (length: number) => Uint8Array> = {
  zeros: (length) => new Uint8Array(length),
  text,
  noise,
  'all byte values': (length) => Uint8Array.from({ length }, (_, i) => i),
}

function text(length: number): Uint8Array {
  const line = (i: number) => `${i % 97} the quick brown fox ${(i * 7919) % 1009} jumps\n`
  const lines = Array.from({ length: Math.ceil(length / 20) }, (_, i) => line(i))
  return new TextEncoder().encode(lines.join('')).slice(0, length)
}

/** Bytes that no compression makes smaller, the same in every run. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = 0x9e3779b9
  for (let i = 0; i < length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}
