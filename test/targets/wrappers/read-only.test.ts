import { expect, it } from 'vitest'
import { localTarget } from '../../../src/targets/local/local-target.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { readOnly } from '../../../src/targets/wrappers/read-only.ts'
import { retrying } from '../../../src/targets/wrappers/retrying.ts'
import { throttled } from '../../../src/targets/wrappers/throttled.ts'

it('readOnly reads, and refuses every change', async () => {
  const memory = memoryTarget()
  await memory.put('a', new Uint8Array([1]))
  const target = readOnly(memory)
  const denied = { code: 'TARGET_DENIED', retryable: false, origin: 'target' }
  await expect(target.put('a', new Uint8Array(2))).rejects.toMatchObject(denied)
  await expect(target.put('b', new Uint8Array(2), { ifAbsent: true })).rejects.toMatchObject(denied)
  await expect(target.delete(['a'])).rejects.toMatchObject(denied)
  await expect(target.delete([])).rejects.toMatchObject(denied)
  expect(await target.get('a')).toEqual(new Uint8Array([1]))
  expect((await target.stat('a'))?.size).toBe(1)
  const listed = []
  for await (const { key } of target.list('')) listed.push(key)
  expect(listed).toEqual(['a'])
  expect(await target.space!()).toEqual({ usedBytes: 1 })
})

it('wrappers show name, traits, folder and space of what they wrap, and close it', async () => {
  let closed = 0
  const local = localTarget('/tmp/holdfast-never-made')
  const inner = Object.assign(local, { close: async () => void closed++ })
  const wrapped = [readOnly(inner), retrying(inner), throttled(inner, { bytesPerSecond: 1 })]
  for (const target of wrapped) {
    expect(target).toMatchObject({ apiVersion: 1, name: 'local', traits: local.traits, localPath: local.localPath })
    expect((await target.space!()).freeBytes).toBeGreaterThan(0)
    await target.close()
  }
  expect(closed).toBe(wrapped.length)
})
