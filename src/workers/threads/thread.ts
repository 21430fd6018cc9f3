import { Worker } from 'node:worker_threads'
import { BackupError } from '../../errors.ts'
import { settled } from '../../util/abort.ts'
import {
  END_LIMIT_MS,
  HANDSHAKE_LIMIT_MS,
  type HeapLimits,
  PROTOCOL_NAME,
  PROTOCOL_VERSION,
  TERMINATE_LIMIT_MS,
} from './limits.ts'
import { END, type Handlers, HELLO, type Session, type Thread, type ToMain, type Transferable } from './rpc.ts'
import { SessionTable } from './rpc-main.ts'

export interface WorkerThreadOptions {
  id: number
  file: URL
  heap: HeapLimits
  handshakeMs?: number | undefined
  stopMs?: number | undefined
}

/** One worker thread. It starts when made; `ready` tells whether it can be used. Dead once, it stays dead. */
export class WorkerThread implements Thread {
  readonly id: number
  readonly inline = false
  /** Resolves after the handshake; rejects with INTERNAL when there is none in time. */
  readonly ready: Promise<void>
  readonly #worker: Worker
  readonly #exited: Promise<unknown>
  readonly #sessions: SessionTable
  readonly #hello = Promise.withResolvers<void>()
  readonly #helloTimer: NodeJS.Timeout
  #failed: BackupError | undefined
  #greeted = false

  constructor(options: WorkerThreadOptions) {
    this.id = options.id
    this.#worker = new Worker(options.file, { name: 'holdfast', ...surroundings(), resourceLimits: options.heap })
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#sessions = new SessionTable({
      post: (message, transfer) => this.#worker.postMessage(message, transfer),
      onStuck: (error) => this.#fail(error),
      stopMs: options.stopMs,
    })
    this.ready = this.#hello.promise
    this.ready.catch(() => {})
    const limit = options.handshakeMs ?? HANDSHAKE_LIMIT_MS
    this.#helloTimer = setTimeout(() => this.#fail(died(`no handshake within ${limit} ms`)), limit)
    this.#listen()
  }

  get alive(): boolean {
    return this.#failed === undefined
  }

  open(service: string, init: unknown, handlers: Handlers, transfer?: Transferable[]): Promise<Session> {
    return this.#sessions.open(service, init, handlers, transfer)
  }

  /** While held, the thread keeps the process running. */
  hold(held: boolean): void {
    if (held) this.#worker.ref()
    else this.#worker.unref()
  }

  /** Ends the sessions with this error, and the thread. Resolves when it is gone, after one and a half seconds at the latest. */
  async close(error: BackupError): Promise<void> {
    // One that is at work would not hear of it in time.
    const isIdle = this.alive && this.#greeted && this.#sessions.isEmpty
    this.#leave(error)
    if (isIdle) {
      this.#worker.postMessage([END])
      await settled(this.#exited, END_LIMIT_MS)
    }
    void this.#worker.terminate()
    await settled(this.#exited, TERMINATE_LIMIT_MS)
  }

  #listen(): void {
    this.#worker.on('message', (message: ToMain) => this.#receive(message))
    this.#worker.on('error', (error) => this.#fail(died(error instanceof Error ? error.message : String(error), error)))
    this.#worker.on('messageerror', (error) => this.#fail(died('a message could not be read', error)))
    this.#worker.once('exit', (code) => {
      this.#fail(died(`it exited with code ${code}`))
      this.#worker.removeAllListeners()
    })
  }

  #receive(message: ToMain): void {
    if (this.#failed !== undefined) return
    if (message[0] === HELLO) this.#greet(message[1], message[2])
    else this.#sessions.receive(message)
  }

  #greet(name: string, version: string): void {
    clearTimeout(this.#helloTimer)
    this.#greeted = name === PROTOCOL_NAME && version === PROTOCOL_VERSION
    if (this.#greeted) this.#hello.resolve()
    else this.#fail(died(`its file belongs to another version: ${name} ${version}, not ${PROTOCOL_VERSION}`))
  }

  #fail(error: BackupError): void {
    if (this.#failed !== undefined) return
    this.#leave(error)
    void this.#worker.terminate()
  }

  #leave(error: BackupError): void {
    if (this.#failed !== undefined) return
    this.#failed = error
    clearTimeout(this.#helloTimer)
    this.#hello.reject(error)
    this.#sessions.fail(error)
  }
}

/**
 * What the host preloads (`--import`, `--require`: tracing, loaders, coverage) is for its own code: in a worker it would cost
 * time, speak twice, or fail. Yarn's Plug'n'Play is the exception: without its preload no package is found.
 */
function surroundings(): { execArgv: string[]; env: NodeJS.ProcessEnv } {
  const { NODE_OPTIONS, ...env } = process.env
  const isKept = NODE_OPTIONS !== undefined && 'pnp' in process.versions
  return { execArgv: [], env: isKept ? { ...env, NODE_OPTIONS } : env }
}

function died(reason: string, cause?: unknown): BackupError {
  return new BackupError('INTERNAL', `A worker thread ended: ${reason}.`, {
    origin: 'repository',
    retryable: true,
    details: { reason },
    cause,
  })
}
