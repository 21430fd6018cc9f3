/**
 * Extended attributes, ACLs among them (`system.posix_acl_*`). Node cannot read them, so the program `getfattr` is asked, for
 * many entries at once: it takes 5 µs an entry and 3 ms to start.
 */
import { spawn } from 'node:child_process'
import { isAscii } from '../../util/paths.ts'
import { isLong, programPath } from './long-paths.ts'
import { searchPath } from './programs.ts'
import { type DumpedXattrs, readDump } from './xattr-dump.ts'

export const READ_PROGRAM = 'getfattr'

/** Attributes by path, as the paths were given. Those that have none are not there. */
export interface FoundXattrs {
  readonly found: ReadonlyMap<string, DumpedXattrs>
  /** Lines of what could not be read; what is gone or cannot have any is not among them. */
  readonly problems: readonly string[]
  /** Nothing is known of some. */
  readonly failed: boolean
}

const OPTIONS = ['--dump', '--match=-', '--encoding=hex', '--absolute-names']
/** A system takes 2 MiB of arguments and environment; ours are far below, so that nothing else has to be counted. */
const MAX_ARGUMENT_BYTES = 200_000
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024

/** Of absolute latin1 paths. `follow`: those that links lead to. Never rejects. */
export async function askXattrs(paths: readonly string[], follow: boolean): Promise<FoundXattrs> {
  const found = new Map<string, DumpedXattrs>()
  const problems: string[] = []
  let failed = false
  for (const portion of portions(paths)) {
    const { output, errors, ended } = await runOn(portion, follow)
    for (const [name, xattrs] of readDump(output)) found.set(portion.longPath ?? name, xattrs)
    problems.push(...errors.split('\n').filter((line) => line !== '' && !isHarmless(line)))
    failed ||= !ended
  }
  return { found, problems, failed }
}

interface Portion {
  names: string[]
  asText: boolean
  longPath?: string
}

/** Names that are text go as arguments; Node cannot pass others, so these go through the input of xargs. */
function* portions(paths: readonly string[]): Generator<Portion> {
  const names = paths.filter((path) => !isLong(path))
  for (const longPath of names.length < paths.length ? paths.filter(isLong) : []) {
    const name = shortOr(longPath)
    if (name !== undefined) yield { names: [name], asText: isAscii(name), longPath }
  }
  for (const asText of [true, false]) {
    let part: string[] = []
    let bytes = 0
    for (const name of names) {
      if (isAscii(name) !== asText) continue
      part.push(name)
      bytes += name.length
      if (bytes < MAX_ARGUMENT_BYTES) continue
      yield { names: part, asText }
      part = []
      bytes = 0
    }
    if (part.length > 0) yield { names: part, asText }
  }
}

/** Undefined where a folder on the way is gone. */
function shortOr(longPath: string): string | undefined {
  try {
    return programPath(longPath)
  } catch {
    return undefined
  }
}

function isHarmless(line: string): boolean {
  return /: (No such file or directory|Not a directory|Operation not supported)$/.test(line)
}

interface Ran {
  output: string
  errors: string
  /** As it should: with 0, or 1 or 123 (of xargs) where single files failed. */
  ended: boolean
}

function runOn({ names, asText }: Portion, follow: boolean): Promise<Ran> {
  const args = follow ? OPTIONS : ['--no-dereference', ...OPTIONS]
  return asText
    ? run(READ_PROGRAM, [...args, '--', ...names], '')
    : run('xargs', ['-0', READ_PROGRAM, ...args, '--'], names.map((name) => `${name}\0`).join(''))
}

function run(program: string, args: readonly string[], input: string): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { PATH: searchPath(), LC_ALL: 'C' }
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const [output, errors]: [Buffer[], Buffer[]] = [[], []]
    let bytes = 0
    child.stdout.on('data', (piece: Buffer) => {
      bytes += piece.length
      if (bytes > MAX_OUTPUT_BYTES) child.kill()
      else output.push(piece)
    })
    child.stderr.on('data', (piece: Buffer) => errors.push(piece))
    // It ends before it has read all if it cannot be started.
    child.stdin.on('error', () => {})
    child.stdin.end(Buffer.from(input, 'latin1'))
    const end = (ended: boolean, why = ''): void =>
      resolve({ output: textOf(output), errors: `${textOf(errors)}${why}`, ended })
    child.on('error', (error) => end(false, error.message))
    child.on('close', (code) => end(code === 0 || code === 1 || code === 123))
  })
}

function textOf(pieces: readonly Buffer[]): string {
  return Buffer.concat(pieces).toString('latin1')
}
