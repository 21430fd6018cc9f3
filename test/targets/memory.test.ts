import { describe, expect, it } from 'vitest'
import { checkKey, checkPlace, checkPrefix, isKey } from '../../src/targets/checks.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { defineTarget, wrapTarget } from '../../src/targets/target.ts'

describe('memoryTarget', () => {
  it('is full at maxBytes, counting what a put replaces and what a delete frees', async () => {
    const target = memoryTarget({ maxBytes: 10 })
    await target.put('a', new Uint8Array(6))
    await expect(target.put('b', new Uint8Array(5))).rejects.toMatchObject({ code: 'TARGET_FULL', retryable: false })
    expect([...target.objects.keys()]).toEqual(['a'])
    await target.put('a', new Uint8Array(10))
    expect(await target.space!()).toEqual({ usedBytes: 10, freeBytes: 0 })
    await expect(target.put('a', new Uint8Array(11))).rejects.toMatchObject({ code: 'TARGET_FULL' })
    expect(target.objects.get('a')).toHaveLength(10)
    expect(await target.put('a', new Uint8Array(99), { ifAbsent: true }), 'nothing would be stored').toBe(false)
    await target.delete(['a', 'a'])
    expect(await target.space!()).toEqual({ usedBytes: 0, freeBytes: 10 })
  })

  it('shows its live objects, so that a test can damage them', async () => {
    const target = memoryTarget()
    await target.put('a', new Uint8Array([1, 2, 3]))
    target.objects.get('a')![1]! ^= 0xff
    expect([...(await target.get('a'))]).toEqual([1, 253, 3])
    expect(await target.space!()).toEqual({ usedBytes: 3 })
  })

  it('refuses options it does not know', () => {
    expect(() => memoryTarget({ maxBytes: -1 })).toThrow(/memoryTarget: maxBytes/)
    expect(() => memoryTarget({ max: 1 } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })
})

describe('keys and prefixes', () => {
  it('may be as long as S3 takes them, in bytes', () => {
    expect(() => checkKey(`${'a/'.repeat(511)}ab`)).not.toThrow()
    expect(() => checkKey(`${'a/'.repeat(512)}b`)).toThrow(/1024 bytes/)
    expect(() => checkKey(`${'a'.repeat(255)}/a`)).not.toThrow()
    expect(() => checkKey('a'.repeat(256))).toThrow(/segment that is longer than 255/)
    expect(() => checkKey(undefined as never)).toThrow(/must be a string/)
  })

  it('are of few characters, which every store tells apart', () => {
    for (const strange of ['A', 'é', '日', ' ', '%', '?', '#', ':', '*', '+', '\\', '\n', '\u0085', '\ud800', '😀']) {
      expect(() => checkKey(`a${strange}`), strange).toThrow(/only a-z, 0-9/)
      expect(() => checkPrefix(`a${strange}`), strange).toThrow(/only a-z, 0-9/)
      expect(isKey(`a${strange}`)).toBe(false)
    }
    expect(isKey('a-z/0.9_')).toBe(true)
  })

  it('may be named freely where a repository lies', () => {
    for (const place of ['', 'Backups/ACME ä/', 'Team A/b']) expect(() => checkPlace(place)).not.toThrow()
    for (const place of ['/', 'A/../', 'A//', 'a\n', '\ud800']) expect(() => checkPlace(place)).toThrow(/the prefix/)
  })

  it('may end anywhere, if a prefix', () => {
    for (const prefix of ['', 'a', 'a/', 'a/b', 'a/.', 'a/..', '.', '..'])
      expect(() => checkPrefix(prefix)).not.toThrow()
    for (const prefix of ['/', './', '../', 'a/../b', '//', 'a\\', 1]) {
      expect(() => checkPrefix(prefix as string), String(prefix)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      )
    }
  })
})

describe('defineTarget and wrapTarget', () => {
  it('keep the methods of classes, live traits, and optional members only where they are', async () => {
    const inner = memoryTarget()
    const traits = { createOnly: true, maxConcurrency: 1 }
    const target = defineTarget(wrapTarget(inner, { traits, localPath: '/somewhere' }))
    expect(target).toMatchObject({ apiVersion: 1, name: 'memory', traits, localPath: '/somewhere' })
    expect(await target.put('a', new Uint8Array(1))).toBe(true)
    expect(await target.space!()).toEqual({ usedBytes: 1 })
    traits.maxConcurrency = 2
    expect(target.traits.maxConcurrency).toBe(2)
    expect('localPath' in defineTarget(inner)).toBe(false)
    const { space: _, ...without } = { ...target }
    expect('space' in defineTarget(without)).toBe(false)
  })
})
