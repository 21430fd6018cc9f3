/** Finds the programs of Postgres on this machine, and on Debian installs them. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { aptInstall } from './apt.ts'

const run = promisify(execFile)

export interface Programs {
  /** Absolute folder with postgres, initdb, pg_dump and pg_restore. */
  readonly binDir: string
  readonly version: string
  readonly major: number
  /** For servers whose client programs come from elsewhere. */
  readonly clientDir?: string
}

const NEEDED = ['postgres', 'initdb', 'pg_dump', 'pg_restore', 'psql']

function folders(parent: string, below: string): string[] {
  if (!existsSync(parent)) return []
  return readdirSync(parent).map((name) => join(parent, name, below))
}

async function candidates(): Promise<string[]> {
  const configured = await run('pg_config', ['--bindir']).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  )
  return [
    ...configured,
    ...folders('/usr/lib/postgresql', 'bin'),
    ...folders('/usr', 'bin').filter((path) => path.startsWith('/usr/pgsql-')),
    ...folders('/opt/homebrew/opt', 'bin').filter((path) => path.includes('/postgresql')),
    ...folders('/usr/local/opt', 'bin').filter((path) => path.includes('/postgresql')),
    ...(process.env.PATH ?? '').split(':').filter(Boolean),
  ]
}

/** What the programs of a folder call themselves. */
export async function versionOf(program: string): Promise<{ version: string; major: number }> {
  const { stdout } = await run(program, ['--version'])
  const version = /(\d+(?:\.\d+|beta\d+|rc\d+|devel)?)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`${program} --version says ${stdout}`)
  return { version, major: Number.parseInt(version, 10) }
}

/** The first of them that has all programs and is of the wanted major. */
export async function findPrograms(major?: number): Promise<Programs | undefined> {
  for (const binDir of new Set(await candidates())) {
    if (!NEEDED.every((name) => existsSync(join(binDir, name)))) continue
    const found = await versionOf(join(binDir, 'postgres'))
    if (major === undefined || found.major === major) return { binDir, ...found }
  }
  return undefined
}

/** On Debian and its children, as root: the distribution's Postgres. */
export async function installPrograms(major?: number): Promise<Programs | undefined> {
  // The package's own cluster is not wanted: it would be created, and with systemd started.
  const config = '/etc/postgresql-common/createcluster.d/holdfast-tests.conf'
  const installed = await aptInstall(['postgresql', 'postgresql-contrib'], {
    before: `mkdir -p ${dirname(config)} && echo 'create_main_cluster = false' > ${config}`,
    after: `rm -f ${config}`,
  })
  return installed ? findPrograms(major) : undefined
}
