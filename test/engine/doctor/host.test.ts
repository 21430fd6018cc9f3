/** What doctor() says of threads, limits, the cache, keys and sources. */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { type Limits, limitFindings } from '../../../src/engine/doctor/limits.ts'
import { BackupEngine, defineSource, filesystem, localTarget, memoryTarget, rawKey } from '../../../src/index.ts'
import { ThreadPool } from '../../../src/workers/threads/thread-pool.ts'
import { file, KEY, scratch } from '../../faults/support.ts'
import { unprivileged } from '../../sources/filesystem/temporary.ts'
import { codesOf, examine, the, unusual, wellFormed } from './support.ts'

const folder = scratch()
const run = promisify(execFile)
const data = (over: object = {}) => filesystem({ name: 'data', path: folder.at('tree'), ...over })

describe('threads', () => {
  it('that cannot be started are a finding, those that nobody wants a note', async () => {
    writeFileSync(folder.at('worker.mjs'), 'throw new Error("no thread today")')
    const pool = new ThreadPool({ file: pathToFileURL(folder.at('worker.mjs')), threads: 1 })
    const finding = the('WORKERS_UNAVAILABLE', await examine({ workers: pool }))
    await pool.close()
    expect(finding).toMatchObject({ severity: 'warning', message: expect.stringMatching(/no thread today/) })
    expect(the('WORKERS_INLINE', await examine()).severity).toBe('info')
  })
})

describe('limits', () => {
  const MIB = 2 ** 20
  const fine: Limits = { availableBytes: 2048 * MIB }

  it('are findings where they are too low', () => {
    expect(limitFindings(fine, 2)).toEqual([])
    expect(limitFindings({ ...fine, memoryBytes: 512 * MIB, cpus: 2, openFiles: 1024 }, 2)).toEqual([])
    const low = limitFindings({ availableBytes: 90 * MIB, memoryBytes: 256 * MIB, cpus: 0.5, openFiles: 64 }, 2)
    wellFormed([...low].sort((a) => (a.severity === 'info' ? 1 : -1)))
    expect(codesOf(low).sort()).toEqual(['CPU_LIMITED', 'MEMORY_LOW', 'OPEN_FILES_LOW'])
    expect(the('MEMORY_LOW', low).message).toMatch(/256 MiB/)
    expect(the('CPU_LIMITED', low).fix).toMatch(/threads: 1/)
    expect(the('MEMORY_LOW', limitFindings({ availableBytes: 90 * MIB }, 2)).message).toMatch(/90 MiB .* free/)
  })

  const made: string[] = []
  afterEach(() => {
    for (const group of made.splice(0)) rmdirSync(group)
  })

  /** Groups of this kernel with these limits; none, and said, where we may not make any. */
  function groups(): string[] {
    const limits: readonly (readonly [string, string, string])[] = [
      ['memory', 'memory.limit_in_bytes', String(300 * MIB)],
      ['cpu', 'cpu.cfs_quota_us', '50000'],
    ]
    try {
      return limits.map(([controller, name, limit]) => {
        const group = mkdtempSync(`/sys/fs/cgroup/${controller}/holdfast-`)
        made.push(group)
        writeFileSync(join(group, name), limit)
        return join(group, 'cgroup.procs')
      })
    } catch (error) {
      console.warn(`NOT TRIED in a real container: no group of processes can be limited here (${String(error)})`)
      return []
    }
  }

  it('are read from where the system keeps them', async () => {
    const joined = groups()
    const script = `import { readLimits } from ${JSON.stringify(join(import.meta.dirname, '../../../src/engine/doctor/limits.ts'))}
      console.log(JSON.stringify(await readLimits()))`
    const joins = joined.map((procs) => `echo $$ > ${procs} && `).join('')
    const { stdout } = await run('sh', [
      '-c',
      `ulimit -n 100 && ${joins}exec "$0" --input-type=module -e "$1"`,
      process.execPath,
      script,
    ])
    const limits = JSON.parse(stdout) as Limits
    expect(limits).toMatchObject({ openFiles: 100, availableBytes: expect.any(Number) })
    if (joined.length > 0) expect(limits).toMatchObject({ cpus: 0.5, memoryBytes: 300 * MIB })
  })
})

describe('the cache', () => {
  it('in a folder that others may write to is a finding', async () => {
    const engine = await BackupEngine.open({ target: memoryTarget(), key: 'none' })
    await engine.close()
    file(folder.at('cache'), 'a file in the way')
    const finding = the('CACHE_UNAVAILABLE', await examine({ cache: { directory: folder.at('cache') } }))
    expect(finding).toMatchObject({ severity: 'warning', fix: expect.stringMatching(/cache: /) })
    expect(codesOf(await examine({ cache: { directory: folder.at('good') } }))).not.toContain('CACHE_UNAVAILABLE')
  })
})

describe('keys', () => {
  it('are verified: one alone is a note, none left an error', async () => {
    const target = memoryTarget()
    const engine = await BackupEngine.open({ target, key: KEY, workers: 'inline' })
    expect(the('KEY_ONLY_ONE', wellFormed(await engine.doctor())).severity).toBe('info')
    await engine.keys.add(rawKey(new Uint8Array(32).fill(9)), { label: 'second' })
    expect(unusual(await engine.doctor())).toEqual([])
    for await (const { key } of target.list('keys/')) await target.delete([key])
    expect(the('OBJECT_MISSING', wellFormed(await engine.doctor()))).toMatchObject({
      severity: 'error',
      object: 'keys/',
    })
    await engine.close()
  })
})

describe('a file tree', () => {
  it('that is sound has no finding', async () => {
    file(folder.at('tree', 'a', 'b'), 'content')
    expect(unusual(await examine({ sources: [data()] }))).toEqual([])
  })

  it('that is missing, empty, or nothing but what is left out', async () => {
    expect(the('SOURCE_NOT_FOUND', await examine({ sources: [data()] })).details).toMatchObject({ source: 'data' })
    mkdirSync(folder.at('tree'))
    expect(the('SOURCE_EMPTY', await examine({ sources: [data()] })).severity).toBe('warning')
    file(folder.at('tree', 'a'), '')
    expect(unusual(await examine({ sources: [data()] }))).toEqual([])
    expect(unusual(await examine({ sources: [data({ exclude: ['*'] })] }))).toEqual(['SOURCE_EMPTY'])
    const [here, there] = [folder.at('here', 'same'), folder.at('there', 'same')]
    for (const path of [here, there]) file(join(path, 'x'), '')
    expect(unusual(await examine({ sources: [data({ path: [here, there] })] }))).toEqual(['INVALID_OPTIONS'])
    expect(unusual(await examine({ sources: [data({ path: [here, there] })] }, { sources: ['data'] }))).toEqual([
      'INVALID_OPTIONS',
    ])
  })

  it('in the repository, or with the repository in it, or beside it on one disk', async () => {
    file(folder.at('tree', 'a'), '')
    const inside = await examine({ target: localTarget(folder.at('tree', 'backups')), sources: [data()] })
    expect(the('REPOSITORY_IN_SOURCE', inside).severity).toBe('warning')
    const engine = await BackupEngine.open({ target: localTarget(folder.at('r')), key: 'none', workers: 'inline' })
    await engine.close()
    file(folder.at('r', 'tree', 'a'), '')
    symlinkSync(folder.at('r', 'tree'), folder.at('link'))
    const linked = data({ path: folder.at('link') })
    const within = await examine({ target: localTarget(folder.at('r')), sources: [linked] })
    expect(the('SOURCE_IN_REPOSITORY', within).severity).toBe('error')
    const beside = await examine({ target: localTarget(folder.at('r')), sources: [data()] })
    expect(the('SAME_DISK', beside)).toMatchObject({ severity: 'info', details: { source: 'data' } })
  })

  it('that cannot be read by this user', async () => {
    file(folder.at('tree', 'open'), 'content')
    file(folder.at('tree', 'secret'), 'content', 0o600)
    mkdirSync(folder.at('tree', 'closed'), { mode: 0o700 })
    for (const path of [folder.path, folder.at('tree')]) chmodSync(path, 0o755)
    if (process.geteuid!() !== 0) for (const name of ['secret', 'closed']) chmodSync(folder.at('tree', name), 0)
    const engine = await BackupEngine.open({
      target: memoryTarget(),
      key: 'none',
      workers: 'inline',
      sources: [data()],
    })
    const findings = await unprivileged(() => engine.doctor())
    expect(the('ENTRIES_UNREADABLE', findings).details).toMatchObject({
      count: 2,
      paths: expect.arrayContaining(['closed', 'secret']),
    })
    chmodSync(folder.at('tree'), process.geteuid!() === 0 ? 0o700 : 0)
    expect(the('SOURCE_DENIED', await unprivileged(() => engine.doctor())).severity).toBe('error')
    chmodSync(folder.at('tree'), 0o755)
    await engine.close()
  })

  it('whose attributes no program can read', async () => {
    file(folder.at('tree', 'a'), '')
    const { PATH } = process.env
    process.env.PATH = folder.path
    try {
      expect(the('XATTRS_UNAVAILABLE', await examine({ sources: [data()] })).severity).toBe('warning')
      expect(the('PEER_MISSING', await examine({ sources: [data({ xattrs: true })] })).severity).toBe('error')
      expect(unusual(await examine({ sources: [data({ xattrs: false })] }))).toEqual([])
    } finally {
      process.env.PATH = PATH
    }
  })

  it('of a plugin that fails is a finding as well', async () => {
    const source = defineSource({
      name: 'own',
      kind: 'test',
      open: async () => {
        throw new Error('unused')
      },
      doctor: async ({ excludePaths }) => {
        if (excludePaths!.length > 0) throw new Error('out of order')
        return [{ code: 'OWN', severity: 'info', message: 'something of its own to say' }]
      },
    })
    const failed = the('CHECK_FAILED', await examine({ target: localTarget(folder.at('r')), sources: [source] }))
    expect(failed).toMatchObject({
      severity: 'error',
      message: expect.stringMatching(/source own failed: out of order/),
    })
    expect(the('OWN', await examine({ sources: [source] }))).toMatchObject({ details: { source: 'own' } })
  })
})
