import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BackupEngine, filesystem, folder, memoryTarget, type Warning, workerPool } from '../../../src/index.ts'
import { readDump, writeDump } from '../../../src/sources/filesystem/xattr-dump.ts'
import { askXattrs } from '../../../src/sources/filesystem/xattrs.ts'
import { KEY } from '../../faults/support.ts'
import { requirePrograms } from '../../roundtrip/outside-proof.ts'
import { temporaryFolder, unprivileged } from './temporary.ts'

const place = temporaryFolder()
const at = (name: string): string => `${place.path}/${name}`
const set = (name: string, attribute: string, value: string): void => {
  execFileSync('setfattr', ['-n', attribute, '-v', value, '--', at(name)])
}
const dumped = (path: string): string =>
  execFileSync('sh', ['-c', 'getfattr -R -h -d -m - -e hex .'], { cwd: path, encoding: 'latin1' })
const PATH = process.env.PATH

beforeAll(requirePrograms)
afterEach(() => {
  process.env.PATH = PATH
})

describe('a dump', () => {
  it('is read as it was written, whatever bytes there are', () => {
    const files: [string, Record<string, string>][] = [
      ['/a\n\\=\xff b', { 'user.a=b\n\udcff': 'AP8K', 'user.z': '' }],
      ['/b', { 'system.posix_acl_access': 'AgAAAA==' }],
    ]
    expect([...readDump(writeDump(files))]).toEqual(files)
  })

  it('has names in order, and nothing of a file without any', () => {
    const text = '# file: a\nuser.b=0x31\nuser.a=0x\n\n# file: b\n\n# file: c\nuser.c\n'
    expect([...readDump(text)]).toEqual([
      ['a', { 'user.a': '', 'user.b': 'MQ==' }],
      ['c', { 'user.c': '' }],
    ])
    expect(Object.keys(readDump(text).get('a')!)).toEqual(['user.a', 'user.b'])
  })
})

describe.runIf(process.platform === 'linux')('asking', () => {
  it('tells of those that have some, and of what is gone nothing', async () => {
    writeFileSync(at('a'), '')
    writeFileSync(at('b'), '')
    symlinkSync('a', at('link'))
    set('a', 'user.x', 'y')
    const paths = [at('a'), at('b'), at('link'), at('gone')]
    expect(await askXattrs(paths, false)).toEqual({
      found: new Map([[at('a'), { 'user.x': 'eQ==' }]]),
      problems: [],
      failed: false,
    })
    expect((await askXattrs(paths, true)).found.get(at('link'))).toEqual({ 'user.x': 'eQ==' })
  })

  it('is a failure where there is no program', async () => {
    process.env.PATH = '/nowhere'
    expect(await askXattrs([at('a')], false)).toMatchObject({
      failed: true,
      problems: [/ENOENT/].map((each) => expect.stringMatching(each)),
    })
  })
})

async function openOn(warnings: Warning[], more: { xattrs?: boolean } = {}): Promise<BackupEngine> {
  const source = filesystem({ name: 'data', path: at('source'), ...more })
  const engine = await BackupEngine.open({ target, key: KEY, sources: [source], workers: 'inline' })
  engine.on('backup:warning', ({ warning }) => warnings.push(warning))
  engine.on('restore:warning', ({ warning }) => warnings.push(warning))
  return engine
}
let target = memoryTarget()

function plant(): void {
  target = memoryTarget()
  mkdirSync(at('source/folder'), { recursive: true })
  writeFileSync(at('source/file'), 'content')
  writeFileSync(at('source/empty'), '')
  for (const name of ['file', 'empty', 'folder']) {
    set(`source/${name}`, 'user.x', name)
    utimesSync(at(`source/${name}`), 1e9, 1e9)
  }
}

const restore = async (engine: BackupEngine, more: { xattrs?: boolean } = {}): Promise<void> => {
  const sinks = { data: folder({ path: at('to'), ...more }) }
  await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { sinks } }))
}

describe.runIf(process.platform === 'linux')('extended attributes', () => {
  it('that change are a change of metadata, named by a diff, of snapshots and of what is there now', async () => {
    plant()
    await using engine = await openOn([])
    const { snapshot: first } = await engine.backup()
    expect((await engine.backup()).counts).toMatchObject({ unchanged: 3, modified: 0 })
    set('source/file', 'user.more', '1')
    set('source/folder', 'user.x', 'other')
    execFileSync('setfattr', ['-x', 'user.x', at('source/empty')])
    const wanted = [
      { path: 'data/empty', type: 'metadata', xattrs: ['user.x'] },
      { path: 'data/file', type: 'metadata', xattrs: ['user.more'] },
      { path: 'data/folder', type: 'metadata', xattrs: ['user.x'] },
    ]
    const live = await engine.diff({ base: 'latest', head: 'live' })
    expect(await live.changes.toArray()).toMatchObject(wanted)
    expect((await engine.backup()).counts).toMatchObject({ unchanged: 0, modified: 3 })
    const stored = await engine.diff({ base: first.id, head: 'latest' })
    expect(await stored.changes.toArray()).toMatchObject(wanted)
    await restore(engine)
    expect(dumped(at('to'))).toBe(dumped(at('source')))
  })

  it('are kept out where they are not wanted, and come in with the next backup that wants them', async () => {
    plant()
    const warnings: Warning[] = []
    await using without = await openOn(warnings, { xattrs: false })
    await without.backup()
    await without.backup()
    await using engine = await openOn(warnings)
    expect((await engine.backup()).counts).toMatchObject({ modified: 3 })
    const left = await without.diff({ base: 'latest', head: 'live' })
    expect(await left.changes.toArray()).toEqual([])
    await restore(engine, { xattrs: false })
    expect(dumped(at('to'))).toBe('')
    expect(warnings).toEqual([])
  })

  it('are kept up to 1 MiB of JSON, and an entry with more is named in a warning', async () => {
    plant()
    const warnings: Warning[] = []
    // Few file systems hold as much, so a program says that these do.
    const made = (name: string, bytes: number) =>
      `  */${name}) echo "# file: $path"; echo "user.large=0x$(head -c ${bytes} /dev/zero | od -An -v -tx1 | tr -d ' \\n')"; echo ;;`
    mkdirSync(at('bin'))
    const script = [
      '#!/bin/sh',
      'for path; do case "$path" in',
      made('file', 786_000),
      made('empty', 787_000),
      'esac; done',
    ]
    writeFileSync(at('bin/getfattr'), `${script.join('\n')}\n`, { mode: 0o755 })
    process.env.PATH = `${at('bin')}:${PATH}`
    await using engine = await openOn(warnings)
    await engine.backup()
    const entries = await engine.entries({ snapshot: 'latest', path: 'data' }).toArray()
    const sizes = entries.map(({ path, facts }) => [
      path,
      Buffer.from(String((facts?.['holdfast.xattrs'] as Record<string, string>)?.['user.large'] ?? ''), 'base64')
        .length,
    ])
    expect(Object.fromEntries(sizes)).toEqual({ 'data/file': 786_000, 'data/empty': 0, 'data/folder': 0 })
    expect(warnings).toMatchObject([{ code: 'XATTRS_NOT_READ', path: 'data/empty', details: { limit: 1_048_576 } }])
    expect((await engine.verify({ level: 'data' })).sound).toBe(true)
  })

  it('are missed aloud where the programs are missing', async () => {
    plant()
    const warnings: Warning[] = []
    await using engine = await openOn(warnings)
    await engine.backup()
    process.env.PATH = '/nowhere'
    await expect(folder({ path: at('to'), xattrs: true }).open({} as never)).rejects.toMatchObject({
      code: 'PEER_MISSING',
    })
    await restore(engine)
    expect(warnings).toMatchObject([{ code: 'XATTRS_UNAVAILABLE', details: { count: 3, program: 'setfattr' } }])
    await engine.backup()
    expect(warnings[1]).toMatchObject({ code: 'XATTRS_UNAVAILABLE', details: { program: 'getfattr', source: 'data' } })
    await using strict = await openOn([], { xattrs: true })
    await expect(strict.backup()).rejects.toMatchObject({ code: 'PEER_MISSING', hint: expect.stringContaining('attr') })
  })

  it('of files that their owner may not write to come back, and what only root may set is said', async () => {
    plant()
    const isRoot = process.getuid?.() === 0
    if (isRoot) set('source/file', 'trusted.x', '1')
    chmodSync(at('source/file'), 0o400)
    const warnings: Warning[] = []
    await using engine = await openOn(warnings)
    await engine.backup()
    chmodSync(place.path, 0o777)
    await unprivileged(() => restore(engine))
    expect(
      execFileSync('getfattr', ['--absolute-names', '--only-values', '-n', 'user.x', at('to/file')], {
        encoding: 'utf8',
      }),
    ).toBe('file')
    const wanted = isRoot ? ['OWNER_NOT_RESTORED', 'XATTRS_NOT_RESTORED'] : []
    expect([...new Set(warnings.map(({ code }) => code))].sort()).toEqual(wanted)
  })

  it('leave no process behind, not even a zombie, when the engine is closed', async () => {
    plant()
    const helpers = (): string[] => {
      const all = execFileSync('ps', ['-Ao', 'ppid=,comm='], { encoding: 'utf8' }).split('\n')
      return all.filter((line) => line.trim().startsWith(`${process.pid} `) && / (sh|getfattr)\b/.test(line))
    }
    const source = filesystem({ name: 'data', path: at('source') })
    const pool = workerPool({ threads: 2 })
    const engine = await BackupEngine.open({ target, key: KEY, sources: [source], workers: pool })
    expect((await engine.backup()).counts).toMatchObject({ added: 3 })
    expect(helpers()).not.toEqual([])
    await engine.close()
    await pool.close()
    expect(helpers()).toEqual([])
  })
})
