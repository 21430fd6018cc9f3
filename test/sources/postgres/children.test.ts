/** What a session has started has ended when it settles: also programs that it only asks for their version. */
import type { ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DumpRunner } from '../../../src/sources/postgres/dump-client.ts'
import { postgres } from '../../../src/sources/postgres/index.ts'
import { temporaryFolder } from '../filesystem/temporary.ts'

const place = temporaryFolder()
const { TMPDIR } = process.env
let silent: Server | undefined
const started: ChildProcess[] = []
const note = (message: unknown): unknown => started.push((message as { process: ChildProcess }).process)
beforeEach(() => {
  started.length = 0
  subscribe('child_process', note)
})
afterEach(() => {
  unsubscribe('child_process', note)
  silent?.close()
  if (TMPDIR === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = TMPDIR
})

/** A folder with a pg_dump that says who it is, does not listen, and does not end. */
function hangingClient(): string {
  const program = `${place.path}/pg_dump`
  writeFileSync(program, `#!/bin/sh\ntrap '' TERM\necho $$ > '${place.path}/pid'\nexec sleep 60\n`)
  chmodSync(program, 0o755)
  return place.path
}

async function startedPid(): Promise<number> {
  const file = `${place.path}/pid`
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), { timeout: 20_000 }).toBe(true)
  return Number(readFileSync(file, 'utf8'))
}

/** True of a zombie too: who started it has not taken note of its end. */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('the search for a client has ended', () => {
  it('when the session is aborted while the server does not answer', async () => {
    silent = createServer(() => {})
    await new Promise<void>((resolve) => silent!.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const stop = new AbortController()
    const source = postgres({ name: 'main', host: '127.0.0.1', port, binDir: hangingClient() })
    const opening = Promise.resolve(source.open({ signal: stop.signal, warn: () => {} })).catch((error) => error)
    const pid = await startedPid()
    expect(isThere(pid)).toBe(true)
    stop.abort()
    expect(await opening).toMatchObject({ code: 'ABORTED' })
    expect(isThere(pid)).toBe(false)
  })

  it('when the server cannot be reached', async () => {
    const source = postgres({ name: 'main', host: '127.0.0.1', port: 1, binDir: hangingClient() })
    const opening = Promise.resolve(source.open({ signal: new AbortController().signal, warn: () => {} }))
    await expect(opening).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    // It may not even have been started by then.
    expect(started.map(({ pid }) => isThere(pid!))).not.toContain(true)
  })
})

describe('certificates for libpq', () => {
  it('are gone when they were being written as the session ended', async () => {
    const folder = `${place.path}/tmp`
    mkdirSync(folder)
    process.env.TMPDIR = folder
    const address = { host: 'h', port: 1, user: 'u', database: 'd', password: 'p', options: undefined }
    const client = { binDir: place.path, version: '18.1', major: 18 }
    const runner = new DumpRunner(client, { ...address, ssl: { ca: 'ca', cert: 'cert', key: 'key' } }, 'x')
    const preparing = runner.prepare()
    await runner.dispose()
    await preparing
    expect(readdirSync(folder)).toEqual([])
  })
})
