import { describe, expect, it } from 'vitest'
import { localTarget } from '../../../src/targets/local/local-target.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { prefixed } from '../../../src/targets/wrappers/prefixed.ts'
import { body, keysOf } from './mirror-support.ts'

describe('prefixed', () => {
  it('sees its own part only, by keys of its own', async () => {
    const memory = memoryTarget()
    const one = prefixed(memory, 'tenants/1')
    const ten = prefixed(memory, 'tenants/10/')
    await one.put('config/1', body('one'))
    await ten.put('config/1', body('ten'))
    expect([...memory.objects.keys()]).toEqual(['tenants/1/config/1', 'tenants/10/config/1'])
    expect(await keysOf(one)).toEqual(['config/1'])
    expect(await keysOf(one, 'con')).toEqual(['config/1'])
    expect((await one.stat('config/1'))?.key).toBe('config/1')
    expect(await one.put('config/1', body('again'), { ifAbsent: true })).toBe(false)
    await one.delete(['config/1'])
    expect(await keysOf(ten)).toEqual(['config/1'])
  })

  it('names its own keys in errors', async () => {
    const target = prefixed(prefixed(memoryTarget(), 'a'), 'b')
    await expect(target.get('missing')).rejects.toMatchObject({
      code: 'TARGET_OBJECT_NOT_FOUND',
      details: { key: 'missing' },
    })
  })

  it('lets no key or prefix out', async () => {
    const memory = memoryTarget()
    await memory.put('secret', body('S'))
    const target = prefixed(memory, 'part')
    for (const key of ['../secret', '/secret', 'a/../../secret', '']) {
      await expect(target.get(key), key).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
      await expect(target.delete([key]), key).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    }
    await expect(keysOf(target, '../')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(memory.objects.size).toBe(1)
  })

  it('refuses prefixes that are no keys', () => {
    for (const prefix of ['', '/', '/a', 'a//b', '../a', 'a/..', 'a//', 'a\\b', 7 as never]) {
      expect(() => prefixed(memoryTarget(), prefix), String(prefix)).toThrow(/key/)
    }
  })

  it('knows its folder, where there is one', () => {
    expect(prefixed(localTarget('/backups'), 'tenants/1').localPath).toBe('/backups/tenants/1')
    expect(prefixed(prefixed(localTarget('/backups'), 'tenants/'), '1').localPath).toBe('/backups/tenants/1')
    expect('localPath' in prefixed(memoryTarget(), 'a')).toBe(false)
  })
})
