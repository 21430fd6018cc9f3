/** Builds `dist` when it is not there, or older than a source file. */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeCommonJs } from './commonjs.ts'

const ROOT = join(import.meta.dirname, '..')

/** Throws what the build says when it fails. */
export function ensureBuilt(): void {
  if (isBuilt()) return
  execFileSync(process.execPath, [join(ROOT, 'node_modules/tsup/dist/cli-default.js')], { cwd: ROOT, stdio: 'pipe' })
  writeCommonJs(join(ROOT, 'dist'))
}

/** Whether `dist` is there and newer than every source file. */
export function isBuilt(): boolean {
  const parts = ['index.js', 'holdfast-worker.js', 'index.d.ts', 'index.cjs', 'index.d.cts']
  return Math.min(...parts.map((part) => modifiedMs(join(ROOT, 'dist', part)))) >= newestSource()
}

function newestSource(): number {
  const names = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const sources = names.filter((name) => name.endsWith('.ts')).map((name) => join(ROOT, 'src', name))
  return Math.max(...[...sources, join(ROOT, 'tsup.config.ts'), join(ROOT, 'package.json')].map(modifiedMs))
}

function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
