import { describe, expect, it } from 'vitest'
import { aes256gcm } from '../../src/transforms/aes256gcm.ts'
import { orderTransforms } from '../../src/transforms/chain.ts'
import { gzip } from '../../src/transforms/gzip.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { describeTransform, loadTransform, runsInWorker } from '../../src/transforms/spec.ts'
import { defineTransform, type Transform } from '../../src/transforms/transform.ts'
import { zstd } from '../../src/transforms/zstd.ts'
import { seededBytes } from '../chunking/seeded.ts'
import { brotli, parity } from './fixtures/brotli.ts'

const code = (expected: string) => expect.objectContaining({ code: expected })
const text = new TextEncoder().encode('the quick brown fox '.repeat(500))
const named = (id: string, kind: Transform['kind'] = 'other') =>
  defineTransform({ id, kind, encode: (s) => s, decode: (s) => s })

describe('zstd and gzip', () => {
  it('heed the level', () => {
    const content = Uint8Array.from(seededBytes(200_000, 1), (byte) => byte & 15)
    expect(zstd({ level: 19 }).encode(text, {}).length).toBeLessThanOrEqual(zstd({ level: 1 }).encode(text, {}).length)
    expect(zstd({ level: 19 }).encode(content, {})).not.toEqual(zstd({ level: 1 }).encode(content, {}))
    expect(gzip({ level: 9 }).encode(text, {}).length).toBeLessThan(gzip({ level: 1 }).encode(text, {}).length)
  })
  it.each([0, 23, 1.5, Number.NaN, '3', null])('zstd refuses the level %s', (level) => {
    expect(() => zstd({ level: level as number })).toThrow(code('INVALID_OPTIONS'))
  })
  it.each([0, 10, -1, '6'])('gzip refuses the level %s', (level) => {
    expect(() => gzip({ level: level as number })).toThrow(code('INVALID_OPTIONS'))
  })
  it.each([zstd(), gzip()])('$id fails with TRANSFORM_FAILED at what it did not write', (transform) => {
    const encoded = transform.encode(text, {})
    const broken = [
      new Uint8Array(0),
      seededBytes(100, 1),
      encoded.subarray(0, -1),
      new Uint8Array([...encoded, 0]),
      new Uint8Array([...encoded, ...encoded]),
    ]
    for (const bytes of broken) {
      expect(() => transform.decode(bytes, { maxBytes: text.length })).toThrow(code('TRANSFORM_FAILED'))
    }
  })
  it.each([zstd(), gzip()])('$id does not unpack a bomb', (transform) => {
    const bomb = transform.encode(new Uint8Array(64 * 2 ** 20), {})
    const before = process.memoryUsage().arrayBuffers
    expect(() => transform.decode(bomb, { maxBytes: 100_000 })).toThrow(code('TRANSFORM_FAILED'))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 2 ** 20)
  })
})

describe('orderTransforms', () => {
  it('compresses first and encrypts last', () => {
    const [a, b] = [named('a'), named('b')]
    const [lz, crypt] = [named('lz', 'compress'), named('crypt', 'encrypt')]
    expect(orderTransforms([crypt, b, lz, a])).toEqual({ compress: [lz], other: [b, a], encrypt: crypt })
    expect(orderTransforms([])).toEqual({ compress: [], other: [], encrypt: undefined })
  })
  it.each([
    ['one twice', [zstd(), zstd({ level: 5 })]],
    ['two that encrypt', [aes256gcm(), named('crypt', 'encrypt')]],
    ['nine', Array.from({ length: 9 }, (_, i) => named(`t${i}`))],
  ])('refuses %s', (_, transforms) => {
    expect(() => orderTransforms(transforms)).toThrow(code('INVALID_OPTIONS'))
  })
  it.each([
    ['an id in capitals', named('Zstd')],
    ['no id', named('')],
    ['a long id', named('a'.repeat(33))],
    ['the id of a built-in one', named('zstd', 'compress')],
    ['an unknown kind', named('a', 'sign' as 'other')],
    ['another API version', { ...named('a'), apiVersion: 2 as 1 }],
    ['no decode', { ...named('a'), decode: undefined as never }],
  ])('refuses %s', (_, transform) => {
    expect(() => orderTransforms([transform])).toThrow(code('PLUGIN_INCOMPATIBLE'))
  })
})

describe('TransformRegistry', () => {
  it('always knows the built-in ones', () => {
    const registry = new TransformRegistry()
    for (const id of ['zstd', 'gzip', 'aes-256-gcm']) expect(registry.get(id).id).toBe(id)
  })
  it('reads whatever level it was written with', () => {
    const decoded = new TransformRegistry()
      .get('zstd')
      .decode(zstd({ level: 19 }).encode(text, {}), { maxBytes: 10_000 })
    expect(new Uint8Array(decoded)).toEqual(text)
  })
  it('takes others and names what it misses', () => {
    const own = brotli(null)
    expect(new TransformRegistry([own, zstd({ level: 9 })]).get('x-brotli')).toBe(own)
    expect(() => new TransformRegistry([own]).get('x-lost')).toThrow(code('TRANSFORM_UNKNOWN'))
    expect(() => new TransformRegistry().get('x-brotli')).toThrow(/x-brotli/)
  })
  it('does not let another transform take a built-in id', () => {
    expect(() => new TransformRegistry([named('gzip', 'compress')])).toThrow(code('PLUGIN_INCOMPATIBLE'))
  })
})

describe('describeTransform and loadTransform', () => {
  const url = new URL('./fixtures/brotli.ts', import.meta.url).href
  const spec = { id: 'x-brotli', kind: 'compress', url, export: 'brotli', options: { level: 4 } } as const

  it.each([zstd({ level: 7 }), gzip({ level: 3 }), brotli({ level: 4 })])('make $id again', async (transform) => {
    const copy = await loadTransform(structuredClone(describeTransform(transform)))
    expect(copy).toMatchObject({ apiVersion: 1, id: transform.id, kind: transform.kind })
    expect(copy.encode(text, {})).toEqual(transform.encode(text, {}))
    expect(describeTransform(copy)).toEqual(describeTransform(transform))
  })
  it('make aes-256-gcm again', async () => {
    const context = { key: seededBytes(32, 1), nonce: seededBytes(12, 2), aad: seededBytes(5, 3) }
    const copy = await loadTransform(describeTransform(aes256gcm()))
    expect(copy.encode(text, context)).toEqual(aes256gcm().encode(text, context))
  })
  it('say what is in them', () => {
    expect(describeTransform(zstd())).toEqual({ id: 'zstd', kind: 'compress', builtin: 'zstd', options: { level: 2 } })
    expect(describeTransform(brotli({ level: 4 }))).toEqual(spec)
  })
  it('know what cannot run in a worker', () => {
    expect([zstd(), brotli(null), parity()].map(runsInWorker)).toEqual([true, true, false])
    expect(() => describeTransform(parity())).toThrow(code('PLUGIN_INCOMPATIBLE'))
  })
  it.each([
    ['a missing module', { url: new URL('./missing.ts', import.meta.url).href }],
    ['a missing export', { export: 'nothing' }],
    ['an export that is no function', { export: 'notAFunction' }],
    ['an export that throws', { export: 'throws' }],
    ['an export that gives nothing', { export: 'givesNothing' }],
    ['another id', { id: 'x-other' }],
    ['another kind', { kind: 'other' as const }],
  ])('refuse %s', async (_, change) => {
    await expect(loadTransform({ ...spec, ...change })).rejects.toThrow(code('PLUGIN_INCOMPATIBLE'))
  })
})
