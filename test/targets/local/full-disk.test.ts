/** Disk full and access denied, for real where the machine lets us, by the nearest means elsewhere. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { errnoOf, systemError } from '../../../src/targets/local/errno.ts'
import { localTarget } from '../../../src/targets/local/local-target.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import type { Target } from '../../../src/targets/target.ts'

const run = promisify(execFile)
const KIB = 1024

async function keysOf(target: Target): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list('')) keys.push(key)
  return keys.sort()
}

/** A file system of 1 MiB of our own, or undefined where mounting is not ours to do. */
async function smallDisk(): Promise<{ target: Target; path: string; remove(): Promise<void> } | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-full-'))
  const options = ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]
  const mounted = await run('mount', options).then(
    () => true,
    () => false,
  )
  const remove = async (): Promise<void> => {
    if (mounted) await run('umount', [path])
    await rm(path, { recursive: true })
  }
  if (mounted) return { target: localTarget(join(path, 'repository')), path, remove }
  await remove()
  return undefined
}

describe('a full target', () => {
  it('refuses what does not fit, keeps what is there, and goes on when there is room', async () => {
    const disk = await smallDisk()
    const target = disk?.target ?? memoryTarget({ maxBytes: 1000 * KIB })
    try {
      await target.put('a', new Uint8Array(400 * KIB).fill(1))
      for (const options of [{}, { ifAbsent: true }]) {
        const put = target.put('b', new Uint8Array(800 * KIB), options)
        await expect(put).rejects.toMatchObject({ code: 'TARGET_FULL', origin: 'target', retryable: false })
      }
      await expect(target.put('a', new Uint8Array(1200 * KIB))).rejects.toMatchObject({ code: 'TARGET_FULL' })
      expect(await keysOf(target)).toEqual(['a'])
      expect((await target.get('a')).every((byte) => byte === 1)).toBe(true)
      if (disk) expect(await readdir(join(disk.path, 'repository', '.tmp'))).toEqual([])
      await target.delete(['a'])
      expect(await target.put('b', new Uint8Array(800 * KIB))).toBe(true)
      expect((await target.space!()).freeBytes).toBeLessThan(300 * KIB)
    } finally {
      await disk?.remove()
    }
  })
})

describe('a target that refuses access', () => {
  it('is TARGET_DENIED on every call, with the path and what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-denied-'))
    try {
      const target = localTarget(join(folder, 'repository'))
      await target.put('a/b', new Uint8Array(1))
      const found = await deniedCalls(folder)
      for (const call of ['put', 'get', 'stat', 'list', 'delete']) {
        expect(found[call], call).toMatchObject({ code: 'TARGET_DENIED', origin: 'target', retryable: false })
        expect(found[call], call).toMatchObject({ details: { path: expect.stringContaining(folder) } })
        expect(found[call]?.hint, call).toMatch(/permission/)
      }
      expect(await target.get('a/b')).toHaveLength(1)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

interface Refusal {
  code?: string
  hint?: string
}

/** Permissions do not bind root, so a child that gave its rights up makes the calls and prints what it got. */
async function deniedCalls(folder: string): Promise<Record<string, Refusal>> {
  await chmod(folder, 0o755)
  const module = new URL('../../../src/targets/local/local-target.ts', import.meta.url).href
  const script = `
    const { localTarget } = await import(${JSON.stringify(module)})
    const { chmod } = await import('node:fs/promises')
    const repository = ${JSON.stringify(join(folder, 'repository'))}
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534) } else await chmod(repository, 0)
    const target = localTarget(repository)
    const calls = {
      put: () => target.put('a/c', new Uint8Array(1)),
      get: () => target.get('a/b'),
      stat: () => target.stat('a/b'),
      list: async () => { for await (const each of target.list('')) console.error(each) },
      delete: () => target.delete(['a/b']),
    }
    const found = {}
    for (const [name, call] of Object.entries(calls)) found[name] = await call().then(() => ({}), (error) => error)
    if (process.getuid() !== 65534) await chmod(repository, 0o700)
    console.log(JSON.stringify(found))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script])
  return JSON.parse(stdout)
}

describe('systemError', () => {
  const failed = (errno: string): Error => Object.assign(new Error(`${errno}: failed`), { code: errno })

  it.each([
    ['ENOSPC', 'TARGET_FULL', false],
    ['EDQUOT', 'TARGET_FULL', false],
    ['EACCES', 'TARGET_DENIED', false],
    ['EPERM', 'TARGET_DENIED', false],
    ['EROFS', 'TARGET_DENIED', false],
    ['ENOTDIR', 'TARGET_NOT_FOUND', false],
    ['EXDEV', 'TARGET_PROTOCOL', false],
    ['ENAMETOOLONG', 'TARGET_PROTOCOL', false],
    ['EIO', 'TARGET_UNREACHABLE', true],
    ['ESTALE', 'TARGET_UNREACHABLE', true],
    ['EMFILE', 'TARGET_UNREACHABLE', true],
    ['EUNHEARDOF', 'TARGET_UNREACHABLE', true],
  ])('tells %s as %s', (errno, code, retryable) => {
    const cause = failed(errno)
    const error = systemError(cause, 'put', '/repository/a')
    expect(error).toMatchObject({ code, retryable, origin: 'target', cause })
    expect(error.details).toEqual({ operation: 'put', path: '/repository/a', errno })
    expect(error.message).toContain('/repository/a')
    expect(error.hint).toMatch(/\.$/)
  })

  it('leaves our own errors alone and does not take a mistake in the code for a failure of the disk', () => {
    const own = systemError(failed('EIO'), 'put', '/a')
    expect(systemError(own, 'list', '/b')).toBe(own)
    expect(systemError(new TypeError('x is not a function'), 'put', '/a')).toMatchObject({
      code: 'INTERNAL',
      retryable: false,
    })
    expect(errnoOf(new Error('none'))).toBeUndefined()
  })
})
