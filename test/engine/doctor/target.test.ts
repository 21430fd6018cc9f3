/** What doctor() says of targets, clocks and folders: each finding really caused, where the machine allows it. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  BackupEngine,
  BackupError,
  localTarget,
  memoryTarget,
  mirrored,
  prefixed,
  readOnly,
  wrapTarget,
} from '../../../src/index.ts'
import { cleanerOf } from '../../../src/targets/local/cleaners.ts'
import { examineFolder } from '../../../src/targets/local/doctor.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { codeOf, file, scratch } from '../../faults/support.ts'
import { emptySource } from '../fixture.ts'
import { codesOf, examine, keysOf, smallDisk, the, unusual, wellFormed } from './support.ts'

const folder = scratch()
const never = new AbortController().signal
const HOUR = 3_600_000
const DENIED = new BackupError('TARGET_DENIED', 'not for you', { origin: 'target', hint: 'Ask for more rights.' })
const AWAY = new BackupError('TARGET_UNREACHABLE', 'nobody answers any more', { origin: 'target', hint: 'Plug it in.' })
const refuse = (error: unknown) => async (): Promise<never> => {
  throw error
}

describe('a target', () => {
  it('that is sound has no finding, and nothing is left on it', async () => {
    const target = memoryTarget()
    const engine = await BackupEngine.open({ target, key: 'none' })
    const before = await keysOf(target)
    const phases = new Set<string>()
    const findings = wellFormed(await engine.doctor({ onProgress: ({ phase }) => phases.add(phase) }))
    await engine.close()
    expect(unusual(findings)).toEqual([])
    expect(codesOf(findings)).not.toContain('WORKERS_INLINE')
    expect(phases.size).toBeGreaterThan(1)
    expect(await keysOf(target)).toEqual(before)
  })

  it('that refuses a right says which, once', async () => {
    const target = memoryTarget()
    await (await BackupEngine.open({ target, key: 'none' })).close()
    const denied = the('TARGET_DENIED', await examine({ target: readOnly(target) }))
    expect(denied).toMatchObject({ severity: 'error', fix: expect.stringMatching(/readOnly/) })
    const noDelete = wrapTarget(memoryTarget(), { delete: refuse(DENIED) })
    const kept = the('TARGET_DENIED', await examine({ target: noDelete }))
    expect(kept.details).toMatchObject({ checks: ['delete', 'clean up'] })
    expect(kept).toMatchObject({ message: expect.stringMatching(/below probe\//), fix: 'Ask for more rights.' })
    const noList = wrapTarget(target, {
      // biome-ignore lint/correctness/useYield: it fails before it has anything to yield
      async *list() {
        throw DENIED
      },
    })
    const engine = await BackupEngine.open({ target, key: 'none' })
    await engine.close()
    expect(codesOf(await examine({ target: wrapTarget(noList, {}) }).catch((error) => [error]))).toContain(
      'TARGET_DENIED',
    )
  })

  it('that is gone is one finding, and no rejection', async () => {
    let isGone = false
    const inner = memoryTarget()
    const gone = async <T>(work: () => T): Promise<Awaited<T>> => {
      if (isGone) throw AWAY
      return await work()
    }
    const target = wrapTarget(inner, {
      put: (...given) => gone(() => inner.put(...given)),
      get: (...given) => gone(() => inner.get(...given)),
      stat: (...given) => gone(() => inner.stat(...given)),
      async *list(prefix) {
        yield* await gone(() => inner.list(prefix))
      },
    })
    const engine = await BackupEngine.open({ target, key: 'none', workers: 'inline' })
    isGone = true
    const findings = wellFormed(await engine.doctor())
    await engine.close()
    expect(the('TARGET_UNREACHABLE', findings)).toMatchObject({ severity: 'error', fix: 'Plug it in.' })
  })

  it('that only says that it creates once is found out', async () => {
    const inner = memoryTarget()
    const target = wrapTarget(inner, { put: (key, body, { signal } = {}) => inner.put(key, body, { signal }) })
    await (await BackupEngine.open({ target: inner, key: 'none' })).close()
    const finding = the('NO_CREATE_ONCE', await examine({ target }))
    expect(finding).toMatchObject({ severity: 'error', details: { promised: true } })
  })

  it('that changes bytes is unfit', async () => {
    const inner = memoryTarget()
    const target = wrapTarget(inner, {
      get: async (key, options) => {
        const bytes = await inner.get(key, options)
        return key.startsWith('probe/') ? bytes.fill(0) : bytes
      },
    })
    expect(the('TARGET_UNFIT', await examine({ target }))).toMatchObject({ severity: 'error' })
  })

  it('that hangs costs one time limit, and an abort ends all at once', async () => {
    const inner = memoryTarget()
    let hangs = false
    const target = wrapTarget(inner, {
      put: async (key, body, options = {}) => {
        if (!hangs || !key.startsWith('probe/')) return await inner.put(key, body, options)
        return await new Promise((_, reject) => {
          options.signal!.addEventListener('abort', () => reject(options.signal!.reason), { once: true })
        })
      },
    })
    const engine = await BackupEngine.open({ target, key: 'none', workers: 'inline' })
    hangs = true
    const late = the('CHECK_TIMED_OUT', wellFormed(await engine.doctor({ checkTimeoutMs: 50 })))
    expect(late).toMatchObject({ severity: 'warning', details: { check: 'the target', checkTimeoutMs: 50 } })
    const stop = new AbortController()
    const aborted = codeOf(engine.doctor({ signal: stop.signal }))
    setTimeout(() => stop.abort(), 20)
    expect(await aborted).toBe('ABORTED')
    expect(await codeOf(engine.doctor({ timeoutMs: 20 }))).toBe('TIMEOUT')
    expect(await codeOf(engine.doctor({ sources: ['nobody'] }))).toBe('INVALID_OPTIONS')
    await engine.close()
    expect((await keysOf(inner)).filter((key) => key.startsWith('probe/'))).toEqual([])
  })
})

describe('clocks', () => {
  const ahead = { ...systemClock, now: () => new Date(Date.now() + 26 * HOUR) }

  it('that differ from those of the target are seen, both ways', async () => {
    const skewed = (now: () => Date) => examine({ target: localTarget(folder.at('r')), clock: { ...systemClock, now } })
    expect(the('CLOCK_SKEW', await skewed(() => new Date(Date.now() + HOUR))).message).toMatch(/3\d{3} s ahead of/)
    expect(the('CLOCK_SKEW', await skewed(() => new Date(Date.now() - HOUR))).message).toMatch(/3\d{3} s behind/)
  })

  it('that were ahead have left snapshots from the future', async () => {
    const target = localTarget(folder.at('r'))
    const engine = await BackupEngine.open({
      target,
      key: 'none',
      workers: 'inline',
      clock: ahead,
      sources: [emptySource('none')],
    })
    await engine.backup()
    await engine.close()
    const finding = the('SNAPSHOT_FROM_FUTURE', await examine({ target: localTarget(folder.at('r')) }))
    expect(finding.details).toMatchObject({ count: 1 })
  })
})

describe('space', () => {
  it('that is nearly used up is told by its share', async () => {
    const target = localTarget(folder.at('r'))
    expect(the('SPACE_LOW', await examine({ target }, { minFreeShare: 1 })).severity).toBe('warning')
    expect(codesOf(await examine({ target }, { minFreeShare: 0 }))).not.toContain('SPACE_LOW')
  })

  it('that is used up is an error of a disk in memory', async () => {
    await using disk = await smallDisk(2)
    if (!disk) return
    const target = localTarget(join(disk.path, 'r'))
    const engine = await BackupEngine.open({ target, key: 'none', workers: 'inline' })
    expect(() => writeFileSync(join(disk.path, 'ballast'), new Uint8Array(4 << 20))).toThrow(/ENOSPC/)
    const findings = wellFormed(await engine.doctor())
    await engine.close()
    expect(the('TARGET_FULL', findings).severity).toBe('error')
    expect(the('SPACE_LOW', findings).severity).toBe('error')
    expect(the('REPOSITORY_IN_MEMORY', findings).severity).toBe('error')
  })
})

describe('a folder', () => {
  it('below a temporary one, or that everybody may write to, is told; also of a mirror and a part', async () => {
    mkdirSync(folder.at('r'), { mode: 0o777 })
    chmodSync(folder.at('r'), 0o777)
    const findings = await examine({ target: localTarget(folder.at('r')) })
    expect(the('REPOSITORY_CLEANED', findings).severity).toBe('error')
    expect(the('REPOSITORY_OPEN', findings).fix).toBe(`chmod 700 ${folder.at('r')}`)
    const both = await examine({ target: mirrored([localTarget(folder.at('r')), memoryTarget()]) })
    expect(the('REPOSITORY_OPEN', both).details).toMatchObject({ target: 'local' })
    mkdirSync(folder.at('r', 'part'))
    expect(codesOf(await prefixed(localTarget(folder.at('r')), 'part').doctor!({ signal: never }))).toEqual([
      'REPOSITORY_CLEANED',
    ])
  })

  it('that systemd-tmpfiles empties is told with the rule', async () => {
    const [etc, lib] = [folder.at('etc'), folder.at('lib')]
    file(join(lib, 'app.conf'), '# comment\nd /srv/one 0755 root root 10d\nq /srv/two - - - -\nR! /srv/three\n')
    file(join(lib, 'masked.conf'), 'd /srv/four - - - 1d\n')
    file(join(etc, 'masked.conf'), '')
    file(join(etc, 'glob.conf'), 'e /srv/app-*/cache - - - 12h\nx /srv/one/kept\n')
    const ruleOf = async (path: string) => (await cleanerOf(path, [etc, lib]))?.when
    expect(await ruleOf('/srv/one/repository')).toBe('after 10d')
    expect(await ruleOf('/srv/one')).toBe('after 10d')
    expect(await ruleOf('/srv/onerous')).toBeUndefined()
    expect(await ruleOf('/srv/one/kept/here')).toBeUndefined()
    expect(await ruleOf('/srv/two')).toBeUndefined()
    expect(await ruleOf('/srv/three/r')).toBe('at a start of the system')
    expect(await ruleOf('/srv/four')).toBeUndefined()
    expect(await ruleOf('/srv/app-1/cache/r')).toBe('after 12h')
    expect(await ruleOf('/srv/app-1/x/cache')).toBeUndefined()
    file(join(etc, 'real.conf'), `d ${folder.path}/r - - - 5d\n`)
    const findings = wellFormed(await examineFolder(folder.at('r', 'deep'), never, { ruleFolders: [etc] }))
    expect(the('REPOSITORY_CLEANED', findings).details).toMatchObject({ when: 'after 5d', path: folder.at('r') })
  })

  it('on a disk that is not mounted is told', async () => {
    const findings = wellFormed(
      await examineFolder(folder.at('mnt', 'usb', 'r'), never, { mountFolders: [folder.at('mnt')] }),
    )
    expect(the('DISK_NOT_MOUNTED', findings)).toMatchObject({ severity: 'warning' })
    await using disk = await smallDisk(1)
    if (!disk) return
    const mounted = await examineFolder(join(disk.path, 'r'), never, { mountFolders: [join(disk.path, '..')] })
    expect(codesOf(mounted)).not.toContain('DISK_NOT_MOUNTED')
  })
})
