/** One run of a program: its output as a stream that ends well only if the program did. */
import { type ChildProcess, spawn } from 'node:child_process'
import { BackupError, type ErrorCode } from '../../errors.ts'
import { linkAbort, throwIfAborted } from '../../util/abort.ts'

export interface Program {
  readonly file: string
  readonly args: readonly string[]
  /** Added to this process' own; `undefined` takes one away. */
  readonly env: Readonly<Record<string, string | undefined>>
}

const KILL_AFTER_MS = 5000
/** For what a program that is gone left in its pipes. */
const DRAIN_MS = 1000
/** Kept of its standard error, and shown: what is kept beyond hides secrets that the cut would go through. */
const STDERR_KEPT = 64 * 1024
const STDERR_SHOWN = 4 * 1024

interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class CommandChild {
  readonly #program: Program
  readonly #signals: readonly AbortSignal[]
  #process: ChildProcess | undefined
  #exited: Promise<Ending> | undefined
  #stderr = ''
  #running = false
  #killer: NodeJS.Timeout | undefined

  constructor(program: Program, signals: readonly AbortSignal[]) {
    this.#program = program
    this.#signals = signals
  }

  /** Starts it, and gives what it writes. Throws at the end when it failed, however much came before. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    const abort = linkAbort(...this.#signals)
    try {
      throwIfAborted(abort.signal)
      const child = this.#start()
      abort.signal.addEventListener('abort', this.#terminate, { once: true })
      yield* this.#output(child, abort.signal)
      const ending = await this.#exited!
      throwIfAborted(abort.signal)
      this.#check(ending)
    } finally {
      abort.dispose()
      await this.end()
    }
  }

  /** Ends it if it still runs, with all that it started. */
  async end(): Promise<void> {
    if (this.#running) this.#terminate()
    // What it said when it could not be started was thrown to the reader.
    await this.#exited?.catch(() => {})
    clearTimeout(this.#killer)
  }

  #start(): ChildProcess {
    const child = this.#spawn()
    this.#process = child
    this.#running = child.pid !== undefined
    if (this.#running) process.once('exit', this.#killNow)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)
    })
    this.#exited = this.#ending(child)
    this.#exited.catch(() => {})
    return child
  }

  #spawn(): ChildProcess {
    const { file, args, env } = this.#program
    try {
      return spawn(file, [...args], {
        env: withoutUndefined({ ...process.env, ...env }),
        stdio: ['ignore', 'pipe', 'pipe'],
        // A group of its own, so that what it starts can be ended with it.
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
    } catch (error) {
      throw this.#notStarted(error as NodeJS.ErrnoException)
    }
  }

  #ending(child: ChildProcess): Promise<Ending> {
    return new Promise((resolve, reject) => {
      child.once('error', (error) => {
        if (child.pid === undefined) reject(this.#notStarted(error))
      })
      child.once('exit', (code) => {
        process.off('exit', this.#killNow)
        if (code !== 0) this.#endRest()
      })
      // Later than 'exit': when nobody holds its output any more.
      child.once('close', (code, signal) => {
        this.#running = false
        resolve({ code, signal })
      })
    })
  }

  async *#output(child: ChildProcess, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      // There are no pipes where the process has too many open files.
      for await (const bytes of child.stdout ?? []) yield bytes as Uint8Array
    } catch (error) {
      throwIfAborted(signal)
      // Says more, where it failed: its pipe was closed for that.
      this.#check(await this.#exited!)
      throw this.#failed('SOURCE_INCOMPLETE', `broke off: ${(error as Error).message}`, {}, error)
    }
  }

  readonly #terminate = (): void => {
    if (!this.#running || this.#killer !== undefined) return
    this.#signal('SIGTERM')
    this.#killer = setTimeout(this.#killNow, KILL_AFTER_MS)
  }

  readonly #killNow = (): void => {
    this.#signal('SIGKILL')
    this.#closePipes()
  }

  /** What a failed program started may still run and hold its pipes; its last words are still in them. */
  #endRest(): void {
    this.#signal('SIGKILL')
    clearTimeout(this.#killer)
    this.#killer = setTimeout(this.#closePipes, DRAIN_MS)
  }

  /** Something that left the group may hold the other ends for ever. */
  readonly #closePipes = (): void => {
    this.#process?.stdout?.destroy()
    this.#process?.stderr?.destroy()
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid
    if (pid === undefined) return
    try {
      if (process.platform === 'win32') this.#process?.kill(signal)
      else process.kill(-pid, signal)
    } catch {
      // It is gone.
    }
  }

  #check({ code, signal }: Ending): void {
    if (code === 0) return
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
    throw this.#failed('SOURCE_INCOMPLETE', how, { exitCode: code, signal })
  }

  /** Without its cause, which holds the arguments. */
  #notStarted(error: NodeJS.ErrnoException): BackupError {
    const { code = 'unknown' } = error
    const known: Record<string, ErrorCode> = {
      ENOENT: 'SOURCE_NOT_FOUND',
      EACCES: 'SOURCE_DENIED',
      EPERM: 'SOURCE_DENIED',
    }
    return this.#failed(known[code] ?? 'SOURCE_UNREACHABLE', `could not be started: ${code}`, { code })
  }

  #failed(
    code: ErrorCode,
    how: string,
    details: Readonly<Record<string, string | number | null>>,
    cause?: unknown,
  ): BackupError {
    const { file } = this.#program
    const stderr = this.#said()
    const last = stderr.slice(stderr.lastIndexOf('\n') + 1)
    return new BackupError(code, `${file} ${how}${last === '' ? '' : `: ${last.slice(0, 500)}`}`, {
      origin: 'source',
      details: { file, ...details, ...(stderr === '' ? {} : { stderr }) },
      hint:
        code === 'SOURCE_NOT_FOUND'
          ? 'Install the program, or give its absolute path'
          : 'Run the same command by hand to see what it says',
      ...(cause === undefined ? {} : { cause }),
    })
  }

  /** The end of its standard error, without secrets that were given in `env`. */
  #said(): string {
    let text = this.#stderr
    for (const value of Object.values(this.#program.env)) {
      if (value !== undefined && value.length >= 4) text = text.replaceAll(value, '***')
    }
    const end = text.trim().slice(-STDERR_SHOWN)
    // The first line is cut where there was more.
    return text.trim().length > STDERR_SHOWN ? end.slice(end.indexOf('\n') + 1) : end
  }
}

function withoutUndefined(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return Object.fromEntries(kept)
}
