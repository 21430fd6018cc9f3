import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  BackupEngine,
  BackupError,
  type CommandOptions,
  command,
  memoryTarget,
  type SourceEntry,
} from '../../../src/index.ts'
import { sourceConformance } from '../../../src/testing/source-conformance.ts'
import { KEY } from '../../faults/support.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-command-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A shell that the caller asked for: a real program with an easy way to say what it does. */
const sh = (script: string, more: Partial<CommandOptions> = {}) =>
  command({ name: 'db', file: '/bin/sh', args: ['-c', script], ...more })
const node = (script: string, more: Partial<CommandOptions> = {}) =>
  command({ name: 'db', file: process.execPath, args: ['-e', script], ...more })

async function open(source: ReturnType<typeof command>): Promise<BackupEngine> {
  return BackupEngine.open({ target: memoryTarget(), key: KEY, sources: [source], workers: 'inline' })
}

/** Backs it up, and gives the error of that after making sure that no snapshot came of it. */
async function failureOf(source: ReturnType<typeof command>, signal?: AbortSignal): Promise<BackupError> {
  const engine = await open(source)
  try {
    const error = await engine.backup(signal ? { signal } : {}).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    for await (const snapshot of engine.snapshots()) throw new Error(`there is a snapshot ${snapshot.id}`)
    if (!BackupError.is(error)) throw new Error(`no BackupError: ${error}`)
    return error
  } finally {
    await engine.close()
  }
}

async function contentOf(source: ReturnType<typeof command>): Promise<string> {
  const engine = await open(source)
  await engine.backup()
  const plan = await engine.planRestore({ snapshot: 'latest', to: { folder: join(folder, 'to') } })
  await engine.restore(plan)
  await engine.close()
  return readFileSync(join(folder, 'to/db/db.out'), 'latin1')
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // Not waited for by whatever adopted it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function untilGone(pid: number): Promise<void> {
  for (let i = 0; i < 200 && isRunning(pid); i++) await sleep(20)
  expect(isRunning(pid)).toBe(false)
}

async function pidIn(file: string): Promise<number> {
  for (let i = 0; i < 500; i++) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    if (text.endsWith('\n')) return Number(text)
    await sleep(10)
  }
  throw new Error(`${file} was not written`)
}

describe('command()', () => {
  describe('as a source', () => {
    const file = (): string => join(folder, 'text')
    sourceConformance(
      { describe, it },
      {
        create: () => {
          writeFileSync(file(), 'one'.repeat(100_000))
          return command({ name: 'db', file: 'cat', args: [file()] })
        },
        mutate: async () => writeFileSync(file(), 'two'.repeat(100_000)),
      },
    )
  })

  it('keeps what the program writes, byte for byte, and nothing of its standard error', async () => {
    const source = node(`process.stderr.write('x'.repeat(1e6))
      for (let i = 0; i < 30; i++) process.stdout.write(Buffer.alloc(100_000, i))`)
    const expected = Array.from({ length: 30 }, (_, i) => String.fromCharCode(i).repeat(100_000)).join('')
    expect((await contentOf(source)) === expected).toBe(true)
  })

  it('puts no shell between, and adds to the environment', async () => {
    const script = 'console.log(process.argv[1], process.env.ADDED, process.env.HOME, process.env.PATH !== undefined)'
    const source = command({
      name: 'db',
      file: process.execPath,
      args: ['-e', script, '$HOME; `id` "*"'],
      env: { ADDED: 'yes', HOME: undefined },
    })
    expect(await contentOf(source)).toBe('$HOME; `id` "*" yes undefined true\n')
  })

  it('makes no snapshot when the program fails after it wrote, and says what it said', async () => {
    const error = await failureOf(sh('head -c 3000000 /dev/zero; echo "first" >&2; echo "disk on fire" >&2; exit 3'))
    expect(error).toMatchObject({ code: 'SOURCE_INCOMPLETE', origin: 'source' })
    expect(error.message).toBe('/bin/sh ended with exit code 3: disk on fire')
    expect(error.details).toMatchObject({ exitCode: 3, signal: null, stderr: 'first\ndisk on fire' })
  })

  it('makes no snapshot when it closes its output early and fails later', async () => {
    const error = await failureOf(sh('echo part; exec >&-; sleep 0.3; exit 1'))
    expect(error).toMatchObject({ code: 'SOURCE_INCOMPLETE', details: { exitCode: 1 } })
  })

  it('makes no snapshot when it is killed', async () => {
    const error = await failureOf(sh('echo part; kill -9 $$'))
    expect(error).toMatchObject({ code: 'SOURCE_INCOMPLETE', details: { exitCode: null, signal: 'SIGKILL' } })
  })

  it('does not wait for what a failed program left behind', async () => {
    const file = join(folder, 'pid')
    const error = await failureOf(sh(`(trap '' HUP; sleep 60) & echo $! > ${file}; echo said >&2; exit 1`))
    expect(error.details).toMatchObject({ exitCode: 1, stderr: 'said' })
    await untilGone(await pidIn(file))
  })

  it('says when there is no such program, or no right to run it', async () => {
    const missing = await failureOf(command({ name: 'db', file: 'no-such-program-here', args: ['--password=secret'] }))
    expect(missing).toMatchObject({ code: 'SOURCE_NOT_FOUND', details: { code: 'ENOENT' } })
    expect(JSON.stringify([missing, missing.cause])).not.toContain('secret')
    writeFileSync(join(folder, 'plain'), 'no program', { mode: 0o644 })
    expect(await failureOf(command({ name: 'db', file: join(folder, 'plain') }))).toMatchObject({
      code: 'SOURCE_DENIED',
    })
  })

  it('masks what env holds where the program repeats it, and keeps only the end of a long story', async () => {
    const script = `console.error('x'.repeat(99), process.env.PASSWORD); `.repeat(3)
    const source = node(`for (let i = 0; i < 3000; i++) { ${script} } process.exitCode = 1`, {
      env: { PASSWORD: 'hunter22' },
    })
    const error = await failureOf(source)
    const stderr = String(error.details.stderr)
    expect(stderr.length).toBeLessThanOrEqual(4096)
    expect(stderr.split('\n').every((line) => line === `${'x'.repeat(99)} ***`)).toBe(true)
    expect(JSON.stringify(error)).not.toContain('hunter')
  })

  it('ends the program and its children on abort', async () => {
    const file = join(folder, 'pid')
    const abort = new AbortController()
    const run = failureOf(sh(`sleep 60 & echo $$ > ${file}.own; echo $! > ${file}; echo part; wait`), abort.signal)
    const pid = await pidIn(file)
    abort.abort()
    expect((await run).code).toBe('ABORTED')
    expect(isRunning(await pidIn(`${file}.own`))).toBe(false)
    // Not ours: it has got the signal, and whoever adopted it waits for it.
    await untilGone(pid)
  })

  it('kills one that does not listen, five seconds later, and settles then', async () => {
    const file = join(folder, 'pid')
    const abort = new AbortController()
    const run = failureOf(sh(`trap '' TERM; echo $$ > ${file}; while :; do sleep 0.1; done`), abort.signal)
    const pid = await pidIn(file)
    abort.abort()
    expect((await run).code).toBe('ABORTED')
    expect(isRunning(pid)).toBe(false)
  }, 20_000)

  it('ends the program when its reader stops early', async () => {
    const file = join(folder, 'pid')
    const source = sh(`echo $$ > ${file}; exec cat /dev/zero`)
    const session = await source.open({ signal: new AbortController().signal, warn: () => {} })
    const batches: (readonly SourceEntry[])[] = []
    for await (const batch of session.entries()) batches.push(batch)
    const entry = batches[0]?.[0]
    if (entry?.content?.from !== 'stream') throw new Error('no stream')
    for await (const _ of await entry.content.open({ signal: new AbortController().signal })) break
    await untilGone(await pidIn(file))
    await session[Symbol.asyncDispose]()
  })

  it('tells nothing of its arguments and environment to the snapshot', async () => {
    const source = sh('echo done', { env: { SECRET: 'hunter22' }, path: 'dumps/all.sql' })
    const engine = await open(source)
    const { snapshot } = await engine.backup()
    expect(JSON.stringify(snapshot)).not.toMatch(/hunter|echo done/)
    await engine.close()
  })

  it.each([
    [{ file: '' }, 'file'],
    [{ args: ['a\0b'] }, 'args.0'],
    [{ args: 'text' }, 'args'],
    [{ env: { 'A=B': 'c' } }, 'env.A=B'],
    [{ path: '../up' }, 'path'],
    [{ path: '' }, 'path'],
    [{ name: '.x' }, 'name'],
    [{ shell: true }, 'shell'],
  ])('refuses %j', (wrong, option) => {
    const make = (): unknown => command({ name: 'db', file: 'true', ...wrong } as CommandOptions)
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', details: expect.objectContaining({ option }) }),
    )
  })
})
