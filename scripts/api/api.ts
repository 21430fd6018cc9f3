/** The types of each entry as they are built now, and as docs/api keeps them. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isBuilt } from '../ensure-built.ts'
import { rollUp } from './roll-up.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)
export const KEPT = join(ROOT, 'docs/api')
export const ACCEPT = 'npm run api:accept'

/** Names of the entries that have types: 'index' and one for each `holdfast/…`. */
export function entries(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { import: { types: string } }>
  }
  return Object.values(exports)
    .flatMap((entry) => (typeof entry === 'string' ? [] : [/([\w-]+)\.d\.ts$/.exec(entry.import.types)![1]!]))
    .sort()
}

/** `dist` where it is newer than the sources, else a build of the types alone in a temporary folder. */
export async function builtTypes(): Promise<{ readonly folder: string; remove(): void }> {
  if (isBuilt()) return { folder: join(ROOT, 'dist'), remove: () => {} }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-types-'))
  const build = [join(ROOT, 'node_modules/tsup/dist/cli-default.js'), '--dts-only', '--out-dir', folder]
  await run(process.execPath, build, { cwd: ROOT })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Entry to text. `types`: the folder of the built `.d.ts` files. */
export async function currentApi(types: string): Promise<Map<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-api-'))
  try {
    for (const entry of entries()) writeFileSync(join(folder, `${entry}.d.ts`), rollUp(types, entry))
    await format(folder)
    return readApi(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Entry to text, of a folder. Empty where it is not there. */
export function readApi(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.d.ts'))
  return new Map(names.sort().map((name) => [name.replace('.d.ts', ''), readFileSync(join(folder, name), 'utf8')]))
}

export function keepApi(api: ReadonlyMap<string, string>): void {
  mkdirSync(KEPT, { recursive: true })
  for (const entry of readApi(KEPT).keys()) if (!api.has(entry)) rmSync(join(KEPT, `${entry}.d.ts`))
  for (const [entry, text] of api) writeFileSync(join(KEPT, `${entry}.d.ts`), text)
}

async function format(folder: string): Promise<void> {
  const biome = [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', '--vcs-enabled=false']
  await run(process.execPath, [...biome, `--config-path=${ROOT}`, folder], { cwd: folder })
}
