/** Runs pg_dump, pg_dumpall and pg_restore: the password in their environment only, their output as a stream, their exit respected. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupError, type ErrorCode } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'
import type { ServerAddress } from './connect.ts'
import type { DumpClient } from './dump-client-find.ts'
import { takesRestrictKey } from './restrict-key.ts'

/** More than this is not read before somebody takes it. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024
const MAX_STDERR_BYTES = 16 * 1024

/** By what the programs say on their way out; a server that speaks another language gives the last one. */
const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/permission denied for/, 'SOURCE_DENIED', 'Grant the role pg_read_all_data, or SELECT and USAGE on what is named'],
  [/row-level security/, 'POSTGRES_ROW_SECURITY', 'Give the role BYPASSRLS, or back up as the owner of the table'],
  [
    /canceling statement due to (lock|statement) timeout[\s\S]*LOCK TABLE/,
    'POSTGRES_LOCKED',
    'Another session holds a table: run it again at a quieter time, or raise lockWaitTimeoutMs',
  ],
  [
    /terminating connection|server closed the connection|connection to server was lost|could not (receive|send) data|no connection to the server/,
    'POSTGRES_LOST',
    'Run it again; if it comes back, see the server log for who ended the connection',
  ],
  // We were connected when it was started. pg_dumpall does not say why it could not.
  [
    /could not connect to database|failed: (Connection refused|FATAL: {2}the database system is)/,
    'POSTGRES_LOST',
    'Run it again; if it comes back, see whether pg_dump reaches the server with the same settings',
  ],
]
const OTHER = [
  'POSTGRES_DUMP_FAILED',
  'See what it said; other versions of server and pg_dump are a usual cause',
] as const

type Program = 'pg_dump' | 'pg_dumpall' | 'pg_restore'

interface StartOptions {
  readonly database?: string | undefined
  /** For its standard input. */
  readonly input?: Uint8Array
  /** As in PGOPTIONS, besides those of the connection. */
  readonly settings?: string
}

/** Runs programs against one server. `dispose` ends them and removes what was written for them. */
export class DumpRunner {
  readonly client: DumpClient
  readonly #address: ServerAddress
  readonly #restrictKey: string
  readonly #children = new Set<DumpChild>()
  #folder: string | undefined
  #env: Record<string, string> | undefined
  #disposed = false
  #preparing: Promise<void> | undefined

  constructor(client: DumpClient, address: ServerAddress, restrictKey: string) {
    this.client = client
    this.#restrictKey = restrictKey
    this.#address = address
  }

  /** Must be called once, before the first `start`. */
  prepare(): Promise<void> {
    this.#preparing = this.#prepare()
    return this.#preparing
  }

  async #prepare(): Promise<void> {
    this.#env = { ...libpqEnvironment(this.#address), ...(await this.#tlsEnvironment()) }
  }

  start(program: Program, args: readonly string[], { database, input, settings = '' }: StartOptions = {}): DumpChild {
    // An abort ends what runs while the plan is still being made: nobody would end what is begun after it.
    if (this.#disposed) throw abortError()
    // The name of the database is in the environment too: as an argument it could be taken for a connection string.
    const address = {
      ...this.#env,
      ...(database === undefined ? {} : { PGDATABASE: database }),
      ...(settings === '' ? {} : { PGOPTIONS: `${this.#env?.PGOPTIONS ?? ''} ${settings}`.trim() }),
    }
    const spawned = spawn(join(this.client.binDir, program), [...args, ...this.#more(program, args)], {
      // pg_restore talks to no server.
      env: { ...process.env, ...ELSEWHERE, LC_ALL: 'C', ...(program === 'pg_restore' ? {} : address) },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const child = new DumpChild(program, spawned)
    this.#children.add(child)
    // It may end before it has read all: its exit says whether that was right.
    spawned.stdin?.on('error', () => {}).end(input)
    return child
  }

  #more(program: Program, args: readonly string[]): string[] {
    const isArchive = program === 'pg_dump' && args.includes('--format=custom')
    return !isArchive && takesRestrictKey(this.client.version) ? [`--restrict-key=${this.#restrictKey}`] : []
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    await Promise.all([...this.#children].map((child) => child.kill()))
    // What it writes meanwhile holds keys.
    await this.#preparing?.catch(() => {})
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
  }

  /** libpq takes certificates from files only. */
  async #tlsEnvironment(): Promise<Record<string, string>> {
    const { ssl } = this.#address
    if (ssl === false || ssl === undefined || ssl === null) return { PGSSLMODE: 'disable' }
    if (ssl === true)
      return this.client.major >= 16 ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: 'system' } : { PGSSLMODE: 'require' }
    const { ca, cert, key, rejectUnauthorized } = ssl as Record<string, unknown>
    const env: Record<string, string> = {
      PGSSLMODE: rejectUnauthorized === false ? 'require' : ca ? 'verify-ca' : 'require',
    }
    for (const [name, value] of Object.entries({ PGSSLROOTCERT: ca, PGSSLCERT: cert, PGSSLKEY: key })) {
      if (typeof value === 'string' || value instanceof Uint8Array) env[name] = await this.#file(name, value)
    }
    return env
  }

  async #file(name: string, content: string | Uint8Array): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), 'holdfast-'))
    const path = join(this.#folder, name)
    await writeFile(path, content, { mode: 0o600 })
    return path
  }
}

/** What would lead libpq to another server than the one that is read: pg knows none of them. */
const ELSEWHERE = { PGSERVICE: undefined, PGHOSTADDR: undefined, PGTARGETSESSIONATTRS: undefined }

function libpqEnvironment(address: ServerAddress): Record<string, string> {
  const { host, port, user, database, password, options } = address
  const env: Record<string, string> = { PGHOST: host, PGPORT: String(port), PGAPPNAME: 'holdfast' }
  if (user !== undefined) env.PGUSER = user
  if (database !== undefined) env.PGDATABASE = database
  if (password !== undefined) env.PGPASSWORD = password
  if (options !== undefined) env.PGOPTIONS = options
  return env
}

/** One run of a program: its output is read into memory as it comes, up to a limit, and can be taken once. */
export class DumpChild {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #exit: Promise<void>
  readonly #chunks: Buffer[] = []
  #waiting = 0
  #stderr = ''
  #ended = false
  #failure: BackupError | undefined
  #wake: (() => void) | undefined

  constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.#child = child
    // There are no pipes where the process has too many open files.
    child.stdout?.on('data', this.#onData)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR_BYTES)
    })
    this.#exit = new Promise((resolve) => {
      child.on('error', (error) => {
        // One that was started is waited for, whatever else went wrong.
        if (child.pid === undefined) this.#finish(this.#failed(error.message, error), resolve)
      })
      child.on('close', (code, signal) => {
        this.#finish(code === 0 ? undefined : this.#failed(`ended with ${signal ?? `exit code ${code}`}`), resolve)
      })
    })
  }

  /** What it said on its standard error: warnings, where it succeeded. */
  get stderr(): string {
    return this.#stderr.trim()
  }

  /** Its whole output, once it has ended well. @throws BackupError POSTGRES_DUMP_FAILED */
  async all(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.read()) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  #more(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  /** Its output. Throws at the end when the program failed, however much came before. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
        this.#waiting -= chunk.length
        if (this.#waiting < MAX_WAITING_BYTES) this.#child.stdout!.resume()
        yield chunk
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended) return
      await this.#more()
    }
  }

  /** Resolves when it runs no more. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#child.kill('SIGKILL')
    this.#child.stdout?.destroy()
    await this.#exit
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    if (this.#waiting >= MAX_WAITING_BYTES) this.#child.stdout!.pause()
    this.#notify()
  }

  #finish(failure: BackupError | undefined, resolve: () => void): void {
    this.#failure ??= failure
    this.#ended = true
    this.#notify()
    resolve()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #failed(how: string, cause?: unknown): BackupError {
    const said = this.stderr
    const [code, hint] = (MEANINGS.find(([pattern]) => pattern.test(said))?.slice(1) as [ErrorCode, string]) ?? OTHER
    return new BackupError(code, `${this.#name} ${how}${said === '' ? '' : `: ${said.split('\n')[0]}`}`, {
      origin: 'source',
      details: { program: this.#name, stderr: said },
      hint,
      retryable: code === 'POSTGRES_LOCKED' || code === 'POSTGRES_LOST',
      cause,
    })
  }
}
