/**
 * Client programs (pg_dump, pg_restore, psql …) newer than the machine's own: Debian's packages of later releases,
 * fetched and checked by apt-get into a folder of the tests, where they run with the C library of their release. Nothing
 * is installed, and no root is needed.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CACHE } from './postgres-launch.ts'

const run = promisify(execFile)

/** Oldest first: the first that has the wanted major is taken. A later release may drop an older major. */
const SUITES = ['trixie', 'forky', 'sid']
const LIBRARIES = ['libpq5', 'libc6', 'libssl3t64', 'libldap2']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where this machine has its own packages of Debian from: other releases are there too. Undefined where it is no Debian. */
export async function debianMirror(): Promise<string | undefined> {
  const format = ['--format', '$(REPO_URI) $(RELEASE)']
  const listed = run('apt-get', ['indextargets', ...format, 'Created-By: Packages']).then(({ stdout }) => stdout)
  const lines = (await listed.catch(() => '')).split('\n')
  return lines.find((line) => /\/debian\/? [a-z]+$/.test(line))?.split(' ')[0]
}

async function unpack(packages: string, to: string): Promise<void> {
  for (const name of await readdir(packages)) {
    if (name.endsWith('.deb')) await run('dpkg-deb', ['-x', join(packages, name), to])
  }
}

/** Arguments for an apt that knows one release of Debian and nothing of this machine. */
async function privateApt(folder: string, suite: string): Promise<string[]> {
  await mkdir(join(folder, 'lists/partial'), { recursive: true })
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true })
  const list = join(folder, 'sources.list')
  await writeFile(list, `deb [signed-by=${KEYRING}] ${await debianMirror()} ${suite} main\n`)
  const settings = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

/** Programs in `binDir` that start those in `root` with the loader and libraries in `root`. */
async function writeStarters(root: string, major: number, binDir: string): Promise<void> {
  const programs = join(root, 'usr/lib/postgresql', String(major), 'bin')
  await mkdir(binDir, { recursive: true })
  for (const name of await readdir(programs)) {
    const script = `#!/bin/sh
root=$(dirname "$0")/..
set -- "$root/usr/lib/postgresql/${major}/bin/${name}" "$@"
for lib in "$root"/usr/lib/*-linux-gnu; do exec "$lib"/ld-linux*.so.* --library-path "$lib" --argv0 "$0" "$@"; done
`
    await writeFile(join(binDir, name), script)
    await chmod(join(binDir, name), 0o755)
  }
}

async function fetchFrom(suite: string, major: number, folder: string): Promise<string | undefined> {
  const apt = await privateApt(folder, suite)
  await run('apt-get', [...apt, 'update', '-qq'])
  const { stdout } = await run('apt-cache', [...apt, 'pkgnames', `postgresql-client-${major}`])
  if (!stdout.split('\n').includes(`postgresql-client-${major}`)) return undefined
  const packages = join(folder, 'packages')
  await mkdir(packages, { recursive: true })
  const wanted = [`postgresql-client-${major}`, ...LIBRARIES]
  await run('apt-get', [...apt, 'download', '-qq', ...wanted], { cwd: packages })
  const root = join(folder, 'root')
  await unpack(packages, root)
  await writeStarters(root, major, join(root, 'bin'))
  await run(join(root, 'bin/pg_dump'), ['--version'])
  return root
}

/** The folder of the programs of this major. @throws Error that says why there is none. */
export async function debianClient(major: number): Promise<string> {
  const kept = join(CACHE, `client-${major}`)
  if (existsSync(kept)) return join(kept, 'bin')
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(CACHE, 'fetching-'))
  try {
    for (const suite of SUITES) {
      const root = await fetchFrom(suite, major, await mkdtemp(join(folder, `${suite}-`)))
      if (root === undefined) continue
      await rename(root, kept).catch((error: unknown) => {
        // Another process was faster.
        if (!existsSync(kept)) throw error
      })
      return join(kept, 'bin')
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  throw new Error(`no release of Debian (${SUITES.join(', ')}) has postgresql-client-${major}`)
}
