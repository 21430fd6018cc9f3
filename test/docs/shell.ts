/** What becomes of each line of shell in the pages. None is left out in silence: a line that no rule knows is an error. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../built-package.ts'
import type { Block } from './blocks.ts'

/** The beginning of a line to where it is tried. */
const TRIED: Readonly<Record<string, string>> = {
  'createdb --template=template0 shop': 'run by docs.test.ts, where createdb and psql are',
  'cd restored/main && psql --dbname=shop': 'run by docs.test.ts, where createdb and psql are',
  'unzip -q monday.zip && cd database/shop && psql': 'test/engine/zip/postgres.test.ts',
  'python3 holdfast_read.py ': 'test/docs-reader.test.ts',
  'npm install holdfast': 'test/package.test.ts installs the package from its tarball',
  'npm cit': 'what the whole test run is',
  'npm ci && npm run demo': 'installing this project again inside its own test run would take minutes',
}
const RUN = /^npm run ([\w:-]+)(?: -- (.*?))?(?:\s+#.*)?$/

/** What is wrong with the lines: unknown ones, scripts that do not exist, and flags that they do not have. */
export function wrongLines(blocks: readonly Block[]): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  return blocks.flatMap(({ page, line, code }) =>
    code
      .trimEnd()
      .split('\n')
      .flatMap((command, index) => {
        const wrong = wrongIn(command, scripts)
        return wrong === undefined ? [] : [`${page}:${line + index}: ${wrong}`]
      }),
  )
}

/** Measurements and soaks take minutes, so a line that starts one is held against its script and the flags that this reads. */
function wrongIn(command: string, scripts: Readonly<Record<string, string>>): string | undefined {
  if (Object.keys(TRIED).some((known) => command.startsWith(known))) return undefined
  const [, name, flags = ''] = RUN.exec(command) ?? []
  if (name === undefined) return `nobody knows whether this works: ${command}`
  const script = scripts[name]
  if (script === undefined) return `there is no script ${name}`
  const file = join(ROOT, /^node (\S+)/.exec(script)?.[1] ?? '')
  const source = existsSync(file) ? readFileSync(file, 'utf8') + besides(file) : ''
  const unknown = [...flags.matchAll(/--([\w-]+)/g)].filter(
    ([, flag]) => !new RegExp(`\\b'?${flag}'?: \\{ type`).test(source),
  )
  return unknown.length > 0 ? `${name} has no ${unknown.map(([flag]) => flag).join(', ')}` : undefined
}

/** Flags that scripts share. */
function besides(file: string): string {
  const shared = file.includes('bench') ? ['bench/data.ts'] : ['scripts/soak/settings.ts']
  return shared.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n')
}
