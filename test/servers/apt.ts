/** Packages of the distribution, installed where the tests run as root on Debian or one of its children. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface InstallOptions {
  /** Shell commands right before and after, also where the installation fails. */
  readonly before?: string
  readonly after?: string
}

/** False where this machine is none that it can install on. @throws Error of apt-get. */
export async function aptInstall(packages: readonly string[], options: InstallOptions = {}): Promise<boolean> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false
  const { before = 'true', after = 'true' } = options
  const install = `apt-get install -yq --no-install-recommends ${packages.join(' ')}`
  const script = `${before}\napt-get update -q && ${install}; code=$?\n${after}\nexit $code`
  // Test files run side by side, and each finds that there is none.
  await run('flock', ['/tmp/holdfast-tests-install.lock', 'sh', '-c', script], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 * 1024 * 1024,
  })
  return true
}
