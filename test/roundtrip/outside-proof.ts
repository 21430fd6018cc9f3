/** Two trees compared by programs that this project did not write. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PROGRAMS = { diff: 'diffutils', rsync: 'rsync', getfattr: 'attr', setfacl: 'acl' } as const

/** Installs what is missing on a Debian where that is possible, else says what to install. */
export function requirePrograms(): void {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isThere(program))
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name)
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) install(packages)
  const still = missing.filter(([program]) => !isThere(program)).map(([program]) => program)
  if (still.length > 0) throw new Error(`These tests need ${still.join(' and ')}. Install ${packages.join(' ')}.`)
}

function isThere(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

function install(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update'], { stdio: 'ignore', env })
  spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { stdio: 'ignore', env })
}

/** What differs in contents and names, and in owners, modes, times, links, ACLs and attributes. '' where nothing does. */
export function differences(expected: string, found: string): string {
  return `${contents(expected, found)}${everything(expected, found)}`
}

function contents(expected: string, found: string): string {
  const { stdout, stderr } = spawnSync('diff', ['-r', '--no-dereference', expected, found], { encoding: 'latin1' })
  // Neither a FIFO nor a socket has contents.
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !/is a (fifo|socket)/.test(line))
  return lines.join('\n')
}

function everything(expected: string, found: string): string {
  const options = ['-n', '--checksum', '-aHAX', '--itemize-changes', '--delete']
  return execFileSync('rsync', [...options, `${expected}/`, `${found}/`], { encoding: 'latin1' })
}
