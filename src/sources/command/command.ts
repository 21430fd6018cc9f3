import { z } from 'zod'
import { throwIfAborted } from '../../util/abort.ts'
import { isSafePath, userToLatin1 } from '../../util/paths.ts'
import { parseSourceOptions } from '../options.ts'
import { SOURCE_NAME, type Source, type SourceContext, type SourceEntry, type SourceSession } from '../source.ts'
import { CommandChild, type Program } from './command-child.ts'

export interface CommandOptions {
  /** First segment of the entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /** The program: an absolute path, or a name that is looked for in PATH. No shell is between. */
  file: string
  /**
   * Its arguments, as they are. Other users of the machine can see them, so secrets belong into `env` or a file.
   * Default: none.
   */
  args?: readonly string[]
  /**
   * Added to the environment of this process; `undefined` takes a variable away. Values of four or more characters are
   * masked where the program repeats them on its standard error. Default: the environment as it is.
   */
  env?: Readonly<Record<string, string | undefined>>
  /** Path of the entry within the source. Default: the source's name with '.out'. */
  path?: string
}

const NAME_RULE = "must be 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'"
const FILE_RULE = 'must be the path or name of a program'
const TEXT_RULE = 'must hold texts without NUL'
const PATH_RULE = "must be a path without '', '.' and '..' segments"
const text = z.string(TEXT_RULE).refine((value) => !value.includes('\0'), TEXT_RULE)
const ENV_RULE = "must be names without '=' and NUL, each with a text or undefined"

const schema = z.strictObject({
  name: z.string(NAME_RULE).regex(SOURCE_NAME, NAME_RULE),
  file: z.string(FILE_RULE).refine((value) => value !== '' && !value.includes('\0'), FILE_RULE),
  args: z.exactOptional(z.array(text, 'must be a list of texts')),
  env: z.exactOptional(
    z.record(z.string().regex(/^[^=\0]+$/, ENV_RULE), z.union([text, z.undefined()], ENV_RULE), ENV_RULE),
  ),
  path: z.exactOptional(z.string(PATH_RULE).refine((value) => isSafePath(userToLatin1(value)), PATH_RULE)),
})

/**
 * What a program writes to its standard output, as one entry: `mysqldump`, `redis-cli --rdb -`. It runs when the entry is
 * read, once for each snapshot. Only exit code 0 makes it whole: anything else ends the run, and there is no snapshot.
 * On abort it and all that it started get SIGTERM, and SIGKILL five seconds later.
 * @throws BackupError INVALID_OPTIONS; while it is read: SOURCE_NOT_FOUND or SOURCE_DENIED where the program cannot be
 * started, SOURCE_INCOMPLETE where it fails, with the end of what it said in `details.stderr`
 */
export function command(options: CommandOptions): Source {
  const { name, file, args = [], env = {}, path = `${name}.out` } = parseSourceOptions(schema, options, 'command')
  return {
    apiVersion: 1,
    name,
    kind: 'command',
    async open(context) {
      throwIfAborted(context.signal)
      return session({ file, args, env }, path, context)
    },
  }
}

function session(program: Program, path: string, context: SourceContext): SourceSession {
  const children = new Set<CommandChild>()
  const entry: SourceEntry = {
    path,
    type: 'file',
    content: {
      from: 'stream',
      open({ signal }) {
        const child = new CommandChild(program, [context.signal, signal])
        children.add(child)
        return child.read()
      },
    },
  }
  return {
    // Not its arguments: a careless caller has put a password there.
    describe: async () => ({ format: 1, file: program.file, path }),
    totals: async () => ({ items: 1, bytes: null }),
    async *entries() {
      throwIfAborted(context.signal)
      yield [{ ...entry }]
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...children].map((child) => child.end()))
    },
  }
}
