import { execFile } from 'node:child_process'
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { localTarget } from '../../../src/targets/local/local-target.ts'
import type { Target } from '../../../src/targets/target.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text))
const keysOf = async (target: Target, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys.sort()
}

let parent: string
let root: string
let target: Target
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'holdfast-local-'))
  root = join(parent, 'above', 'repository')
  target = localTarget(root)
})
afterEach(() => rm(parent, { recursive: true }))

describe('what it leaves on the disk', () => {
  it('is nothing before the first put', async () => {
    expect(await keysOf(target)).toEqual([])
    expect(await keysOf(target, 'packs/00')).toEqual([])
    expect(await target.stat('config/1')).toBeUndefined()
    await expect(target.get('config/1')).rejects.toMatchObject({ code: 'TARGET_OBJECT_NOT_FOUND' })
    await target.delete(['config/1'])
    expect((await target.space!()).freeBytes).toBeGreaterThan(0)
    await target.close()
    expect(await readdir(parent)).toEqual([])
  })

  it('is one file for each object, for the owner alone', async () => {
    await target.put('packs/ab/x', bytes('pack'))
    await target.put('config/1', bytes('config'), { ifAbsent: true })
    expect(await readFile(join(root, 'packs/ab/x'), 'utf8')).toBe('pack')
    for (const folder of ['..', '.', 'packs', 'packs/ab', 'config', '.tmp']) {
      expect((await stat(join(root, folder))).mode & 0o777, folder).toBe(0o700)
    }
    for (const file of ['packs/ab/x', 'config/1']) {
      expect((await stat(join(root, file))).mode & 0o777, file).toBe(0o600)
      expect((await stat(join(root, file))).nlink, file).toBe(1)
    }
    expect(await readdir(join(root, '.tmp'))).toEqual([])
  })

  it('takes an existing folder as it is', async () => {
    await mkdir(root, { recursive: true, mode: 0o755 })
    await target.put('a', bytes('a'))
    expect((await stat(root)).mode & 0o777).toBe(0o755)
  })

  it('leaves folders when objects go', async () => {
    await target.put('packs/ab/x', bytes('x'))
    await target.delete(['packs/ab/x', 'packs/ab', 'packs'])
    expect(await readdir(join(root, 'packs'))).toEqual(['ab'])
  })
})

describe('its temporary files', () => {
  it('are never listed, read or written as objects', async () => {
    await target.put('a', bytes('a'))
    await writeFile(join(root, '.tmp', 'left'), 'half')
    expect(await keysOf(target)).toEqual(['a'])
    expect(await keysOf(target, '.tmp/')).toEqual([])
    expect(await keysOf(target, '.t')).toEqual([])
    for (const key of ['.tmp/left', '.TMP/left', '.tmp', 'lost+found/x']) {
      await expect(target.get(key)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
      await expect(target.put(key, bytes('x'))).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
      await expect(target.delete([key])).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    }
  })

  it('go when they are older than a day, and never younger', async () => {
    await target.put('a', bytes('a'))
    const ages = { old: DAY_MS + 60_000, young: DAY_MS - 60_000 }
    for (const [name, ageMs] of Object.entries(ages)) {
      const path = join(root, '.tmp', name)
      await writeFile(path, 'half')
      await utimes(path, new Date(), new Date(Date.now() - ageMs))
    }
    const next = localTarget(root)
    await keysOf(next)
    expect((await readdir(join(root, '.tmp'))).sort(), 'reading removes nothing').toEqual(['old', 'young'])
    await next.put('b', bytes('b'))
    expect(await readdir(join(root, '.tmp'))).toEqual(['young'])
  })

  it('are removed when the put is aborted on the way', async () => {
    const body = new Uint8Array(40 * 1024 * 1024)
    for (const ifAbsent of [false, true]) {
      const controller = new AbortController()
      const outcome = target.put('packs/big', body, { signal: controller.signal, ifAbsent })
      await expect.poll(() => readdir(join(root, '.tmp')).catch(() => []), { interval: 1 }).toHaveLength(1)
      controller.abort('enough')
      await expect(outcome).rejects.toMatchObject({ code: 'ABORTED', origin: 'usage', cause: 'enough' })
      expect(await readdir(join(root, '.tmp'))).toEqual([])
      expect(await keysOf(target)).toEqual([])
    }
  })

  it('are removed when the object cannot get its name', async () => {
    await target.put('a', bytes('a'))
    await mkdir(join(root, 'b'))
    await expect(target.put('b', bytes('b'))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    await expect(target.put('b', bytes('b'), { ifAbsent: true })).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    await expect(target.put('a/b', bytes('b'))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    expect(await readdir(join(root, '.tmp'))).toEqual([])
    expect(await keysOf(target)).toEqual(['a'])
  })
})

describe('what is no object', () => {
  it('is neither listed nor read: links, pipes, folders', async () => {
    await target.put('a', bytes('a'))
    await writeFile(join(parent, 'secret'), 'secret')
    await symlink(join(parent, 'secret'), join(root, 'link'))
    await symlink(parent, join(root, 'folder-link'))
    await promisify(execFile)('mkfifo', [join(root, 'pipe')])
    expect(await keysOf(target)).toEqual(['a'])
    for (const key of ['link', 'pipe', 'folder-link', 'a/b']) {
      expect(await target.stat(key), key).toBeUndefined()
      await expect(target.get(key)).rejects.toMatchObject({ code: 'TARGET_OBJECT_NOT_FOUND' })
    }
  })

  it('does not hide objects with several links', async () => {
    await target.put('a', bytes('a'))
    await link(join(root, 'a'), join(root, 'b'))
    expect(await keysOf(target)).toEqual(['a', 'b'])
  })
})

describe('a folder that is not as it should be', () => {
  it('is refused if it is a file', async () => {
    await mkdir(dirname(root))
    await writeFile(root, 'a file')
    const calls = [
      () => target.put('a', bytes('a')),
      () => target.get('a'),
      () => target.stat('a'),
      () => keysOf(target),
    ]
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND', retryable: false, origin: 'target' })
    }
    expect(await readFile(root, 'utf8')).toBe('a file')
  })

  it('is made again inside, when somebody removed the empty folders', async () => {
    await target.put('packs/ab/x', bytes('x'))
    await rm(join(root, 'packs'), { recursive: true })
    expect(await target.put('packs/ab/y', bytes('y'))).toBe(true)
    await rm(join(root, '.tmp'), { recursive: true })
    expect(await target.put('packs/ab/z', bytes('z'), { ifAbsent: true })).toBe(true)
    expect(await keysOf(target)).toEqual(['packs/ab/y', 'packs/ab/z'])
  })

  it('is not made again itself: its disk may have been unmounted', async () => {
    await target.put('packs/ab/x', bytes('x'))
    await rename(root, join(parent, 'unmounted'))
    await expect(target.put('packs/ab/y', bytes('y'))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    await expect(lstat(root)).rejects.toMatchObject({ code: 'ENOENT' })
    // As if the empty mount point came to light.
    await mkdir(root)
    await expect(target.put('packs/ab/y', bytes('y'))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    expect(await readdir(root)).toEqual([])
    await rm(root, { recursive: true })
    await rename(join(parent, 'unmounted'), root)
    expect(await target.put('packs/ab/y', bytes('y')), 'mounted again').toBe(true)
  })
})

describe('localTarget', () => {
  it('keeps the place that a relative path meant when it was made', () => {
    expect(localTarget(relative(process.cwd(), root)).localPath).toBe(root)
    expect(localTarget(`${root}/x/../`).localPath).toBe(root)
  })

  it('refuses a path that is not set, and options it does not know', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_OPTIONS', origin: 'usage' })
    expect(() => localTarget(undefined)).toThrow(invalid)
    expect(() => localTarget('')).toThrow(invalid)
    expect(() => localTarget('a\0b')).toThrow(invalid)
    expect(() => localTarget(root, { sync: true } as never)).toThrow(/sync/)
    expect(() => localTarget(root, { fsync: 'yes' } as never)).toThrow(/fsync/)
  })

  it('deletes nothing once aborted on the way', async () => {
    const keys = Array.from({ length: 200 }, (_, i) => `runs/${i}`)
    for (const key of keys) await target.put(key, bytes('x'))
    const controller = new AbortController()
    const outcome = target.delete(keys, { signal: controller.signal })
    await expect.poll(async () => (await keysOf(target)).length, { interval: 1 }).toBeLessThan(200)
    controller.abort()
    await outcome.catch((error) => expect(error).toMatchObject({ code: 'ABORTED' }))
    const left = await keysOf(target)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await keysOf(target), 'nothing goes on after the rejection').toEqual(left)
  })
})
