/** The program `age`, which asks a terminal for its passphrase: Python makes it one. */
import { aptInstall } from '../../servers/apt.ts'
import { run } from './zip-support.ts'

const SCRIPT = `
import os, pty, sys
passphrase, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen = b''
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    seen += more
    if b'passphrase' in seen and seen.rstrip().endswith(b':'):
        os.write(terminal, passphrase.encode() + b'\\n')
        seen = b''
sys.stderr.write(seen.decode(errors='replace'))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

/** Installed where it is missing. False, with a warning, where that cannot be. */
export async function hasAge(): Promise<boolean> {
  const isThere = (): Promise<boolean> =>
    run('sh', ['-c', 'command -v age && command -v python3']).then(
      () => true,
      () => false,
    )
  if (await isThere()) return true
  await aptInstall(['age', 'python3']).catch(() => false)
  if (await isThere()) return true
  process.emitWarning('age is not here and cannot be installed: encrypted ZIPs were NOT tried with it')
  return false
}

/** Rejects where the program fails. */
export async function age(passphrase: string, ...args: string[]): Promise<void> {
  await run('python3', ['-c', SCRIPT, passphrase, 'age', ...args], { timeout: 60_000 })
}
