/**
 * Starts a server from its programs, on a free loopback port, in a folder of its own. A small shell stands between: it
 * waits at a pipe that only this process holds, so that the server ends and its folder goes however this process ends.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { StartOptions, TestServer } from './postgres.ts'
import type { Programs } from './postgres-find.ts'

const run = promisify(execFile)
/** What the tests fetched or made before. */
export const CACHE = fileURLToPath(new URL('../../node_modules/.cache/holdfast', import.meta.url))
const START_MS = 30_000

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  max_prepared_transactions: '10',
  wal_level: 'logical',
  shared_buffers: '128MB',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
}

type Account = { uid: number; gid: number }

/** Postgres refuses to run as root. */
async function account(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name]))).catch(() => undefined)
    if (ids) return { uid: Number(ids[0]?.stdout), gid: Number(ids[1]?.stdout) }
  }
  throw new Error('Postgres does not run as root, and there is no user postgres or nobody to run it as')
}

async function initialise(programs: Programs, data: string, as: Account | undefined): Promise<void> {
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-T', 'english', '--no-sync']
  // A working folder that the other user may enter: initdb looks at it.
  await run(join(programs.binDir, 'initdb'), args, { ...as, cwd: dirname(data), env: environment() })
}

/** What a server that ran there would think of it is left out. */
async function copyOfDisk(from: string, data: string, as: Account | undefined): Promise<void> {
  await copyFolder(from, data, as)
  await rm(join(data, 'postmaster.pid'), { force: true })
}

/** Copies what initdb made before, or keeps what it makes now. */
async function makeData(
  programs: Programs,
  data: string,
  as: Account | undefined,
  { ownIdentity: own = false, dataFrom }: StartOptions,
): Promise<void> {
  if (dataFrom !== undefined) return await copyOfDisk(dataFrom, data, as)
  const cached = join(CACHE, `data-${programs.version}-${process.getuid?.() ?? 0}`)
  if (own || !existsSync(cached)) await initialise(programs, data, as)
  else await copyFolder(cached, data, as)
  if (own || existsSync(cached)) return
  await mkdir(CACHE, { recursive: true })
  const making = await mkdtemp(`${cached}-`)
  await copyFolder(data, making, undefined)
  // Another process may have been faster: its folder is as good.
  await rename(making, cached).catch(() => rm(making, { recursive: true }))
}

async function copyFolder(from: string, to: string, as: Account | undefined): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  await run('cp', ['-R', `${from}/.`, to])
  if (as) await run('chown', ['-R', `${as.uid}:${as.gid}`, to])
  await run('chmod', ['700', to])
}

/** Messages in English, whoever runs the tests; nothing of the caller's PG* variables. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/**
 * $1 folder, $2 the server's program, then its arguments. SIGQUIT is Postgres' immediate stop; it is sent when the pipe
 * closes. What the server said last goes to the output, for a server that did not start.
 */
const WATCHDOG = `folder=$1; shift
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 </dev/null 3<&- & server=$!
(while read -r _; do :; done; kill -QUIT $server) <&3 >/dev/null 2>&1 & reader=$!
exec 3<&-
wait $server
kill -KILL $reader 2>/dev/null
tail -n 20 "$folder/log" 2>/dev/null
rm -rf "$folder"`

interface Started {
  /** Ends the server. The last lines of its log. */
  stop(): Promise<string>
  isRunning(): boolean
}

function startWatched(programs: Programs, folder: string, args: readonly string[], as: Account | undefined): Started {
  const script = ['-c', WATCHDOG, 'holdfast-test-postgres', folder, join(programs.binDir, 'postgres'), ...args]
  const child = spawn('/bin/sh', script, {
    ...as,
    cwd: folder,
    detached: true,
    env: environment(),
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  })
  let log = ''
  let running = true
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => {
      running = false
      resolve(log)
    })
  })
  // The test process may end whenever it has nothing else to do.
  child.unref()
  for (const stream of [child.stdout, child.stdio[3]] as Socket[]) stream.on('error', () => {}).unref()
  const stop = (): Promise<string> => {
    child.ref()
    ;(child.stdout as Socket).ref()
    child.stdio[3]?.destroy()
    return ended
  }
  return { stop, isRunning: () => running }
}

/** Until the last line of postmaster.pid says `ready`, as pg_ctl does. */
async function untilReady(data: string, started: Started): Promise<void> {
  const deadline = Date.now() + START_MS
  while (started.isRunning() && Date.now() < deadline) {
    const lines = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
    if (/^ready\s*$/m.test(lines)) return
    await sleep(20)
  }
  throw new Error(`Postgres did not start:\n${await started.stop()}`)
}

export async function launchPostgres(programs: Programs, options: StartOptions = {}): Promise<TestServer> {
  const as = await account()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'))
  const data = join(folder, 'data')
  try {
    if (as) await chown(folder, as.uid, as.gid)
    await makeData(programs, data, as, options)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  const port = await freePort()
  const settings = { ...SETTINGS, ...options.settings, port: String(port), unix_socket_directories: folder }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const started = startWatched(programs, folder, args, as)
  await untilReady(data, started)
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    binDir: programs.clientDir ?? programs.binDir,
    version: programs.version,
    major: programs.major,
    dataDir: data,
    async stop() {
      await started.stop()
    },
  }
}
