/** What a figure depends on: the machine, and the built package that is measured. */
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from './measure.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Whether the processor has SHA instructions; undefined where that cannot be read. */
  readonly shaNi: boolean | undefined
  readonly memoryBytes: number
  readonly system: string
  readonly filesystem: string
  readonly node: string
  /** Processes that wanted to run in the minute before the benchmark began: above 0.5 the figures are noisy. */
  readonly loadAverage: number
}

export async function describeMachine(folder: string): Promise<Machine> {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : undefined
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    shaNi: info === undefined ? undefined : /\bsha_ni\b|\bsha2\b/.test(info),
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()}`,
    filesystem: (await outputOf('df', '--output=fstype', folder))?.split('\n').at(-1) ?? 'unknown',
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
  }
}

/** Apparent bytes and number of the files below `folder`; links count by the length of their text. */
export function measureTree(folder: string): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    sum.files++
    sum.bytes += lstatSync(join(entry.parentPath, entry.name)).size
  }
  return sum
}

export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  const gigabytes = (value: number): string => `${(value / 1e9).toFixed(1)} GB`
  throw new Error(
    `${folder} has ${gigabytes(bavail * bsize)} free, this run needs about ${gigabytes(bytes)}: ` +
      'choose another --dir, fewer --rounds or --peers, or a smaller --bytes',
  )
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function newestChange(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return Math.max(...entries.filter((e) => e.isFile()).map((e) => lstatSync(join(e.parentPath, e.name)).mtimeMs))
}

/** Builds the package if there is no build, or one older than the sources. */
export function ensureBuilt(): void {
  const built = join(ROOT, 'dist', 'index.js')
  if (existsSync(built) && lstatSync(built).mtimeMs > newestChange(join(ROOT, 'src'))) return
  console.error('building the package')
  execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
}
