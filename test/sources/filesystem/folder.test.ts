import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesystem } from '../../../src/sources/filesystem/filesystem.ts'
import { type FolderOptions, folder } from '../../../src/sources/filesystem/folder.ts'
import type { SinkEntry, SinkSession } from '../../../src/sources/sink.ts'
import { temporaryFolder } from './temporary.ts'

const place = temporaryFolder()
const at = (path: string): string => join(place.path, path)

const open = (path: string, signal = new AbortController().signal): Promise<SinkSession> =>
  folder({ path }).open({ signal, runId: 'run', facts: {}, warn: () => {} })

const entry = (path: string, type: string, more: Partial<SinkEntry> = {}): SinkEntry => ({
  path,
  type,
  size: 0,
  facts: {},
  ...more,
})

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

describe('options', () => {
  it.each([
    ['no path', {}, 'path'],
    ['an empty path', { path: '' }, 'path'],
    ['an undefined path', { path: undefined }, 'path'],
    ['an unknown one', { path: '/tmp', mode: 1 }, 'mode'],
    ['owner as a text', { path: '/tmp', owner: 'root' }, 'owner'],
  ])('refuse %s', (_, options, option) => {
    expect(() => folder(options as FolderOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', details: expect.objectContaining({ option }) }),
    )
  })

  it('become the plan that workers place by', async () => {
    const signal = new AbortController().signal
    const session = await folder({ path: at('a/../b'), owner: false, xattrs: false }).open({
      signal,
      runId: 'r',
      facts: {},
      warn: () => {},
    })
    const root = expect.stringMatching(`^${at('.b.holdfast-')}[0-9a-f]{16}$`)
    expect(session.place).toEqual({ kind: 'folder', root, becomes: at('b'), owner: false, xattrs: false })
    expect(readdirSync(place.path)).toEqual([])
    mkdirSync(at('b'))
    expect((await open(at('b'))).place).toEqual({
      kind: 'folder',
      root: at('b'),
      owner: true,
      xattrs: expect.anything(),
    })
  })
})

describe('a session', () => {
  it('makes what a snapshot may hold', async () => {
    const session = await open(at('new'))
    await session.write(entry('fifo', 'fifo', { mode: 0o600 }), pieces())
    await session.write(entry('file', 'file', { size: 4, mode: 0o4711, uid: 0, gid: 0 }), pieces('te', 'xt'))
    await session.write(entry('\udcff', 'file', { size: 1 }), pieces('x'))
    await session.prepare()
    await session.commit()
    expect(lstatSync(at('new/fifo')).isFIFO()).toBe(true)
    expect(readFileSync(at('new/file'), 'utf8')).toBe('text')
    expect(existsSync(Buffer.from(`${place.path}/new/\xff`, 'latin1'))).toBe(true)
  })

  it('warns of what it cannot make', async () => {
    const warnings: unknown[] = []
    const signal = new AbortController().signal
    const session = await folder({ path: at('new') }).open({
      signal,
      runId: 'r',
      facts: {},
      warn: (w) => warnings.push(w),
    })
    await session.write(entry('a', 'socket'), pieces())
    await session.write(entry('b', 'device'), pieces())
    expect(warnings).toMatchObject([
      { code: 'ENTRY_SKIPPED', path: 'a' },
      { code: 'ENTRY_SKIPPED', path: 'b' },
    ])
  })

  it('rolls back what it made, and nothing else', async () => {
    mkdirSync(at('there/sub'), { recursive: true, mode: 0o711 })
    writeFileSync(at('there/sub/mine'), 'mine')
    const session = await open(at('there'))
    await session.write(entry('sub', 'directory', { mode: 0o700 }), pieces())
    await session.write(entry('sub/new', 'file'), pieces())
    await session.write(entry('sub/deep/new', 'file'), pieces())
    writeFileSync(at('there/sub/deep/foreign'), '')
    await session.rollback(new Error('no'))
    expect(readdirSync(at('there/sub')).sort()).toEqual(['deep', 'mine'])
    expect(readdirSync(at('there/sub/deep'))).toEqual(['foreign'])
    expect(statSync(at('there/sub')).mode & 0o777).toBe(0o711)
  })

  it('stops in the middle of a file when aborted, without a trace', async () => {
    const abort = new AbortController()
    const session = await open(at('new'), abort.signal)
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half')
      abort.abort(new Error('enough'))
      yield Buffer.from('half')
    }
    await expect(session.write(entry('file', 'file', { size: 8 }), content())).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(readdirSync(session.place!.root)).toEqual([])
    await session.rollback(abort.signal.reason)
    expect(readdirSync(place.path)).toEqual([])
  })

  it('says how much space there is, before the folder exists too', async () => {
    const there = await (await open(place.path)).space!()
    const later = await (await open(at('a/b/c'))).space!()
    expect(there.freeBytes).toBeGreaterThan(0)
    expect(later.freeBytes).toBeGreaterThan(0)
  })

  it('takes a file in its place for a conflict', async () => {
    writeFileSync(at('file'), '')
    await expect(open(at('file'))).rejects.toMatchObject({ code: 'RESTORE_CONFLICT', origin: 'sink' })
    const session = await open(at('later'))
    writeFileSync(at('later'), '')
    await expect(session.current!()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' })
    await expect(session.prepare()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT', details: { path: at('later') } })
  })
})

describe('a new folder', () => {
  const write = async (session: SinkSession): Promise<void> => {
    await session.write(entry('sub', 'directory', { mode: 0o500 }), pieces())
    await session.write(entry('sub/file', 'file', { size: 4, mode: 0o444 }), pieces('text'))
    await session.prepare()
  }

  it('has its name only when all is there', async () => {
    const session = await open(at('deep/new'))
    await write(session)
    const [hidden, ...others] = readdirSync(at('deep'))
    expect([hidden, others]).toEqual([expect.stringMatching(/^\.new\.holdfast-/), []])
    expect(statSync(at(`deep/${hidden}`)).mode & 0o777).toBe(0o700)
    await session.commit()
    expect(readdirSync(at('deep'))).toEqual(['new'])
    expect(readFileSync(at('deep/new/sub/file'), 'utf8')).toBe('text')
  })

  it.each(['prepared', 'committed'])('is gone after the rollback of what was %s', async (state) => {
    const session = await open(at('deep/new'))
    await write(session)
    if (state === 'committed') await session.commit()
    await session.rollback(new Error('no'))
    expect(readdirSync(place.path)).toEqual([])
  })

  it('keeps what others have put into it since the commit', async () => {
    const session = await open(at('new'))
    await write(session)
    await session.commit()
    writeFileSync(at('new/foreign'), '')
    await session.rollback(new Error('no'))
    expect(readdirSync(at('new'))).toEqual(['foreign'])
  })

  it.each([
    ['a file', () => writeFileSync(at('new'), 'theirs')],
    ['a link to nowhere', () => symlinkSync('nowhere', at('new'))],
    ['a folder that holds something', () => mkdirSync(at('new/theirs'), { recursive: true })],
  ])('replaces nothing that comes meanwhile: %s', async (_, come) => {
    const [early, late] = [await open(at('new')), await open(at('new'))]
    await write(early)
    await write(late)
    come()
    const conflict = { code: 'RESTORE_CONFLICT', details: { path: at('new') } }
    await expect(early.prepare()).rejects.toMatchObject(conflict)
    await expect(late.commit()).rejects.toMatchObject(conflict)
    for (const session of [early, late]) await session.rollback(new Error('no'))
    expect(readdirSync(place.path)).toEqual(['new'])
  })

  it('is not made where a link leads nowhere', async () => {
    symlinkSync('nowhere', at('new'))
    await expect(open(at('new'))).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' })
  })

  it('may have a name as long as a name can be', async () => {
    const name = 'é'.repeat(127)
    const session = await open(at(name))
    await write(session)
    await session.commit()
    expect(readdirSync(place.path)).toEqual([name])
  })

  it('is not touched by what an earlier restore has left', async () => {
    await write(await open(at('new')))
    const left = readdirSync(place.path)
    const session = await open(at('new'))
    await write(session)
    await session.commit()
    expect(readdirSync(place.path).sort()).toEqual([...left, 'new'])
  })
})

describe('the folder itself', () => {
  async function restored(path: string): Promise<Stats> {
    mkdirSync(at('from'), { mode: 0o750 })
    utimesSync(at('from'), 1_600_000_000, 1_600_000_000)
    const context = { signal: new AbortController().signal, warn: () => {} }
    const source = await filesystem({ name: 'files', path: at('from') }).open(context)
    const facts = JSON.parse(JSON.stringify(await source.describe()))
    const session = await folder({ path }).open({ ...context, runId: 'run', facts })
    await session.prepare()
    await session.commit()
    return statSync(path)
  }

  it('is as it was where it is new, even if it is empty', async () => {
    const { mode, mtimeMs } = await restored(at('to'))
    expect([mode & 0o7777, mtimeMs]).toEqual([0o750, 1_600_000_000_000])
  })

  it('is as it was where there was an empty one, too', async () => {
    mkdirSync(at('to'), { mode: 0o711 })
    const { mode, mtimeMs } = await restored(at('to'))
    expect([mode & 0o7777, mtimeMs]).toEqual([0o750, 1_600_000_000_000])
  })

  it('keeps its own mode and times where it held something before', async () => {
    mkdirSync(at('to'), { mode: 0o711 })
    writeFileSync(at('to/theirs'), '')
    const { mode, mtimeMs } = await restored(at('to'))
    expect(mode & 0o7777).toBe(0o711)
    expect(mtimeMs).toBeGreaterThan(1_700_000_000_000)
  })

  it('takes no facts of another making', async () => {
    for (const root of [
      null,
      'x',
      { mode: -1, uid: 0, gid: 0, mtimeNs: '0' },
      { mode: 0o777, uid: 0, gid: 0, mtimeNs: 'x' },
    ]) {
      const context = { signal: new AbortController().signal, warn: () => {}, runId: 'run', facts: { root } }
      await (await folder({ path: at('to') }).open(context)).prepare()
      expect(existsSync(at('to'))).toBe(false)
    }
  })
})
