/** The package as built from these sources, in a temporary folder where scripts can import it by its name. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'tsup'
import { writeCommonJs } from '../scripts/commonjs.ts'
import config from '../tsup.config.ts'

export const ROOT = join(import.meta.dirname, '..')
const run = promisify(execFile)

export interface Installed {
  readonly folder: string
  /** Runs a script of the folder to its end. Rejects when its exit code is not 0. `env`: added to this process's. */
  node(
    script: string,
    args?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ stdout: string; stderr: string }>
  remove(): void
}

/** Links to what the project has installed, and beside them a holdfast of its own. Not in `dist`: others may use that. */
export async function installBuilt(): Promise<Installed> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-test-')))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'holdfast'), { recursive: true })
  for (const name of packages(join(ROOT, 'node_modules'))) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  cpSync(join(ROOT, 'package.json'), join(modules, 'holdfast/package.json'))
  const dist = join(modules, 'holdfast/dist')
  await build({ ...config, config: false, dts: false, silent: true, outDir: dist })
  writeCommonJs(dist)
  return {
    folder,
    node: (script, args = [], added = {}) => {
      const env = { ...process.env, BACKUP_PASSPHRASE: 'only for tests', ...added }
      return run(process.execPath, [join(folder, script), ...args], { cwd: folder, env, timeout: 100_000 })
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Names, with their scope. */
function packages(modules: string): string[] {
  const names = readdirSync(modules).filter((name) => !name.startsWith('.') && name !== 'holdfast')
  return names.flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
}
