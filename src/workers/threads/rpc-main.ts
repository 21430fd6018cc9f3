/** The main thread's end: all sessions open in one thread. */
import { BackupError } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'
import { STOP_LIMIT_MS } from './limits.ts'
import {
  ABORT,
  CALL,
  CLOSE,
  CLOSED,
  type Handlers,
  HELLO,
  OPEN,
  type OpenMessage,
  type Post,
  type Session,
  type ToMain,
  type ToWorker,
  type Transferable,
} from './rpc.ts'
import { answerCall, PendingCalls, unique } from './rpc-calls.ts'
import { fromWire, type WireError } from './wire-error.ts'

/** What a session needs of the thread it lives in. */
interface Owner {
  readonly post: Post<ToWorker>
  readonly stopMs: number
  /** The session has ended: forget it. */
  forget(id: number): void
  /** The session was aborted and does not stop. */
  onStuck(error: BackupError): void
}

export interface SessionTableOptions {
  post: Post<ToWorker>
  /** Ends the thread. Absent: there is none to end, and the session is only given up. */
  onStuck?: (error: BackupError) => void
  /** Milliseconds that an aborted session has to stop. */
  stopMs?: number | undefined
}

export class SessionTable {
  readonly #owner: Owner
  readonly #sessions = new Map<number, MainSession>()
  #nextId = 1
  #failed: BackupError | undefined

  constructor({ post, onStuck = () => {}, stopMs = STOP_LIMIT_MS }: SessionTableOptions) {
    this.#owner = { post, onStuck, stopMs, forget: (id) => this.#sessions.delete(id) }
  }

  async open(service: string, init: unknown, handlers: Handlers, transfer?: Transferable[]): Promise<Session> {
    if (this.#failed !== undefined) throw this.#failed
    const session = new MainSession(this.#nextId++, this.#owner, handlers)
    this.#sessions.set(session.id, session)
    try {
      await session.start(service, init, transfer)
    } catch (error) {
      this.#sessions.delete(session.id)
      throw error
    }
    return session
  }

  receive(message: ToMain): void {
    if (message[0] !== HELLO) this.#sessions.get(message[1])?.receive(message)
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0
  }

  /** The thread is gone: every session ends with this error, and none can be opened any more. */
  fail(error: BackupError): void {
    if (this.#failed !== undefined) return
    this.#failed = error
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const session of sessions) session.fail(error)
  }
}

class MainSession implements Session {
  readonly id: number
  readonly #owner: Owner
  readonly #handlers: Handlers
  readonly #calls: PendingCalls
  readonly #flag = new SharedArrayBuffer(4)
  readonly #closed = Promise.withResolvers<void>()
  #aborted: BackupError | undefined
  #closing = false
  #ended = false
  #stopTimer: NodeJS.Timeout | undefined

  constructor(id: number, owner: Owner, handlers: Handlers) {
    this.id = id
    this.#owner = owner
    this.#handlers = handlers
    this.#calls = new PendingCalls(id, owner.post)
    this.#closed.promise.catch(() => {})
  }

  async start(service: string, init: unknown, transfer?: Transferable[]): Promise<void> {
    const message = (call: number): OpenMessage => [OPEN, this.id, call, service, init, this.#flag]
    await this.#calls.send((call) => this.#owner.post(message(call), unique(transfer)))
  }

  call<T>(method: string, args: unknown, transfer?: Transferable[]): Promise<T> {
    if (this.#closing && this.#aborted === undefined) return Promise.reject(closedError())
    return this.#calls.call(method, args, transfer) as Promise<T>
  }

  abort(reason?: unknown): void {
    if (this.#aborted !== undefined || this.#ended) return
    this.#aborted = abortError(reason)
    this.#raiseFlag()
    this.#owner.post([ABORT, this.id])
    this.#calls.end(this.#aborted)
    if (this.#closing) this.#limitStop()
  }

  close(): Promise<void> {
    if (!this.#closing && !this.#ended) {
      this.#closing = true
      this.#owner.post([CLOSE, this.id])
      if (this.#aborted !== undefined) this.#limitStop()
    }
    return this.#closed.promise
  }

  receive(message: Exclude<ToMain, [typeof HELLO, ...unknown[]]>): void {
    if (message[0] === CALL) void answerCall(message, (args) => this.#handle(message[3], args), this.#owner.post)
    else if (message[0] === CLOSED) this.#end(message[2])
    else this.#calls.answer(message)
  }

  /** The thread is gone, and a `close` waiting for that is content. Inline there is no thread, so the flag is set. */
  fail(error: BackupError): void {
    this.#raiseFlag()
    this.#calls.end(error)
    this.#end(undefined)
  }

  #handle(method: string, args: unknown): unknown {
    if (this.#aborted !== undefined) throw this.#aborted
    if (!Object.hasOwn(this.#handlers, method)) {
      throw new BackupError('INTERNAL', `No handler named ${method}.`, { origin: 'repository' })
    }
    return this.#handlers[method]!(args)
  }

  #end(error: WireError | undefined): void {
    this.#ended = true
    clearTimeout(this.#stopTimer)
    this.#owner.forget(this.id)
    this.#calls.end(closedError())
    if (error === undefined) this.#closed.resolve()
    else this.#closed.reject(fromWire(error))
  }

  #raiseFlag(): void {
    Atomics.store(new Int32Array(this.#flag), 0, 1)
  }

  #limitStop(): void {
    const { stopMs, onStuck } = this.#owner
    this.#stopTimer = setTimeout(() => {
      const reason = `aborted work did not stop within ${stopMs} ms`
      const options = { origin: 'repository', retryable: true, details: { reason } } as const
      const error = new BackupError('INTERNAL', `A worker thread was ended: ${reason}.`, options)
      onStuck(error)
      this.fail(error)
    }, stopMs)
  }
}

function closedError(): BackupError {
  return new BackupError('INTERNAL', 'The session in the worker is closed.', { origin: 'repository' })
}
