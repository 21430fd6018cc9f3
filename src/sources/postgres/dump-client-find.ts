/** Finds the pg_dump to use: the oldest that knows the server, since a newer one writes what an older server cannot read. */
import { execFile } from 'node:child_process'
import { readdir, realpath } from 'node:fs/promises'
import { basename, delimiter, join } from 'node:path'
import { BackupError } from '../../errors.ts'
import { onAbort } from '../../util/abort.ts'

export interface DumpClient {
  /** Absolute folder of the programs. */
  readonly binDir: string
  /** As in '15.18'. */
  readonly version: string
  readonly major: number
}

/**
 * All that are there. Never rejects, so that it can be begun before the server is known; but must be awaited, since only then
 * none of them runs any more. On abort they are ended.
 */
export async function dumpClients(binDir: string | undefined, signal?: AbortSignal): Promise<readonly DumpClient[]> {
  const folders = binDir === undefined ? await usualFolders() : [binDir]
  const found = await Promise.all(folders.map((folder) => clientIn(folder, signal)))
  return found.filter((client) => client !== undefined)
}

/** `clients`: where they are known already. @throws BackupError POSTGRES_CLIENT_MISSING, POSTGRES_CLIENT_WRONG */
export async function findDumpClient(
  serverMajor: number,
  binDir: string | undefined,
  clients: Promise<readonly DumpClient[]> = dumpClients(binDir),
): Promise<DumpClient> {
  const found = await clients
  const fitting = found.filter(({ major }) => major >= serverMajor).sort((a, b) => a.major - b.major)
  if (fitting[0] !== undefined) return fitting[0]
  throw found.length > 0 ? tooOld(found, serverMajor) : missing(binDir, serverMajor)
}

async function usualFolders(): Promise<string[]> {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  const below = await Promise.all([
    inside('/usr/lib/postgresql', /^\d/, 'bin'),
    inside('/usr', /^pgsql-/, 'bin'),
    inside('/opt/homebrew/opt', /^(postgresql|libpq)/, 'bin'),
    inside('/usr/local/opt', /^(postgresql|libpq)/, 'bin'),
    inside('/Applications/Postgres.app/Contents/Versions', /^\d/, 'bin'),
  ])
  return [...new Set([...path, ...below.flat()])]
}

async function inside(parent: string, name: RegExp, child: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => [])
  return names.filter((one) => name.test(one)).map((one) => join(parent, one, child))
}

async function clientIn(folder: string, signal: AbortSignal | undefined): Promise<DumpClient | undefined> {
  const program = join(folder, 'pg_dump')
  const real = await realpath(program).catch(() => undefined)
  // Debian's wrapper picks a version by itself, by rules of its own.
  if (real === undefined || basename(real) === 'pg_wrapper') return undefined
  const text = await versionText(program, signal)
  const version = /\) (\d+(?:\.\d+)*)/.exec(text)?.[1]
  return version === undefined ? undefined : { binDir: folder, version, major: Number.parseInt(version, 10) }
}

/** What it says when it is asked for its version; '' where it does not. Resolves when it runs no more, on abort too. */
async function versionText(program: string, signal: AbortSignal | undefined): Promise<string> {
  if (signal?.aborted) return ''
  const told = Promise.withResolvers<string>()
  const options = { timeout: 10_000, killSignal: 'SIGKILL' } as const
  const child = execFile(program, ['--version'], options, (error, stdout) => told.resolve(error ? '' : stdout))
  const exited = child.pid !== undefined && new Promise((resolve) => child.once('exit', resolve))
  // The option `signal` would send SIGTERM, whatever `killSignal` says.
  const remove = onAbort(signal, () => child.kill('SIGKILL'))
  const text = await told.promise
  await exited
  remove()
  return text
}

function tooOld(found: readonly DumpClient[], serverMajor: number): BackupError {
  const versions = [...new Set(found.map(({ version }) => version))]
  return new BackupError('POSTGRES_CLIENT_WRONG', `pg_dump ${versions.join(', ')} is older than the server`, {
    origin: 'source',
    details: { versions, serverMajor },
    hint: `Install postgresql-client-${serverMajor}, or name the folder of its pg_dump as binDir`,
  })
}

function missing(binDir: string | undefined, serverMajor: number): BackupError {
  const where = binDir === undefined ? '' : ` in ${binDir}`
  return new BackupError('POSTGRES_CLIENT_MISSING', `no pg_dump was found${where}, and the schema is read by it`, {
    origin: 'source',
    details: { serverMajor, ...(binDir === undefined ? {} : { binDir }) },
    hint: `Install postgresql-client-${serverMajor}, name its folder as binDir, or back up with dataOnly`,
  })
}
