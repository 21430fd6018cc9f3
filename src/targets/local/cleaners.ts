/** Whether something of the system empties a folder now and then: temporary folders, rules of systemd-tmpfiles. */
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from './errno.ts'

/** Rules by systemd's precedence: a file of the same name in an earlier folder takes the place of the later one. */
const RULE_FOLDERS = ['/etc/tmpfiles.d', '/run/tmpfiles.d', '/usr/local/lib/tmpfiles.d', '/usr/lib/tmpfiles.d']
/** Emptied at each start, or after some days, on one system or another. */
const TEMPORARY = ['/tmp', '/var/tmp', '/run', '/dev/shm', '/private/tmp', '/private/var/tmp', '/private/var/folders']
/** Of lines that clean: those with an age; `D` also empties at a start, `R` removes then. */
const WITH_AGE = /^[dDevqQ]/
const AT_START = /^[DR]/

export interface CleanerRule {
  /** The path of the rule, as it stands there. */
  readonly path: string
  /** `10d` …, or 'at a start of the system'. */
  readonly when: string
  readonly file: string
}

/** The temporary folder that the path lies in; undefined where it lies in none. `path` is a real, absolute one. */
export function temporaryFolderOf(path: string): string | undefined {
  return [tmpdir(), ...TEMPORARY].find((folder) => isWithin(path, folder))
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** The rule that cleans the folder `path` or one above it. Rules that cannot be read are passed by: they are not ours. */
export async function cleanerOf(
  path: string,
  folders: readonly string[] = RULE_FOLDERS,
): Promise<CleanerRule | undefined> {
  const lines = (await Promise.all((await ruleFiles(folders)).map(linesOf))).flat()
  if (lines.some(({ type, path: kept }) => type.startsWith('x') && covers(kept, path))) return undefined
  const rule = lines.find((line) => whenOf(line) !== undefined && covers(line.path, path))
  return rule && { path: rule.path, when: whenOf(rule)!, file: rule.file }
}

async function ruleFiles(folders: readonly string[]): Promise<string[]> {
  const files = new Map<string, string>()
  for (const folder of folders) {
    for (const name of await namesIn(folder)) {
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, join(folder, name))
    }
  }
  return [...files.values()]
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}

interface Line {
  readonly type: string
  readonly path: string
  readonly age: string
  readonly file: string
}

async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === undefined) throw error
    return ''
  })
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/))
  return rows.flatMap(([type = '', path = '', , , , age = '-']) =>
    /^[a-zA-Z]/.test(type) && path.startsWith('/') ? [{ type, path: path.replace(/(?<=.)\/+$/, ''), age, file }] : [],
  )
}

function whenOf({ type, age }: Line): string | undefined {
  if (WITH_AGE.test(type) && age !== '-' && age !== '') return `after ${age}`
  return AT_START.test(type) ? 'at a start of the system' : undefined
}

/** A rule for a folder cleans all that is below it. */
function covers(pattern: string, path: string): boolean {
  if (!/[*?[]/.test(pattern)) return isWithin(path, pattern)
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
  return new RegExp(`^${source}(/|$)`).test(path)
}
