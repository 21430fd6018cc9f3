/** The worker's end: opens services and runs their calls. Also used on the main thread, by the inline thread. */
import { BackupError } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'
import {
  ABORT,
  CALL,
  type CallMessage,
  CLOSE,
  CLOSED,
  type CreateService,
  type Host,
  OPEN,
  type OpenMessage,
  type Post,
  type Service,
  type ToMain,
  type ToWorker,
  type Transferable,
} from './rpc.ts'
import { answerCall, PendingCalls } from './rpc-calls.ts'
import { toWire, type WireError } from './wire-error.ts'

export class ServiceTable {
  readonly #create: CreateService
  readonly #post: Post<ToMain>
  readonly #sessions = new Map<number, WorkerSession>()

  constructor(create: CreateService, post: Post<ToMain>) {
    this.#create = create
    this.#post = post
  }

  receive(message: ToWorker): void {
    if (message[0] === OPEN) this.#open(message)
    else this.#dispatch(message)
  }

  /** Main is gone: its answers will not come. Ends all services once their calls have ended. */
  async end(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const session of sessions) session.stop()
    await Promise.all(sessions.map((session) => session.close()))
  }

  #open(message: OpenMessage): void {
    const session = new WorkerSession(message[1], this.#post, message[5])
    this.#sessions.set(session.id, session)
    void answerCall(message, (init) => this.#start(session, message[3], init), this.#post)
  }

  async #start(session: WorkerSession, name: string, init: unknown): Promise<void> {
    try {
      session.service = await this.#create(name, init, session)
    } catch (error) {
      this.#sessions.delete(session.id)
      throw error
    }
  }

  #dispatch(message: Exclude<ToWorker, OpenMessage>): void {
    const session = this.#sessions.get(message[1])
    if (message[0] === CLOSE) void this.#close(message[1], session)
    else if (message[0] === CALL) session?.run(message)
    else if (message[0] === ABORT) session?.stop()
    else session?.answer(message)
  }

  async #close(id: number, session: WorkerSession | undefined): Promise<void> {
    const error = await session?.close()
    this.#sessions.delete(id)
    this.#post([CLOSED, id, error])
  }
}

class WorkerSession implements Host {
  readonly id: number
  service: Service | undefined
  readonly #post: Post<ToMain>
  readonly #flag: Int32Array
  readonly #hostCalls: PendingCalls
  readonly #running = new Set<Promise<void>>()

  constructor(id: number, post: Post<ToMain>, flag: SharedArrayBuffer) {
    this.id = id
    this.#post = post
    this.#flag = new Int32Array(flag)
    this.#hostCalls = new PendingCalls(id, post)
  }

  get aborted(): boolean {
    return Atomics.load(this.#flag, 0) !== 0
  }

  throwIfAborted(): void {
    if (this.aborted) throw abortError()
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  call(method: string, args: unknown, transfer?: Transferable[]): Promise<unknown> {
    if (this.aborted) return Promise.reject(abortError())
    return this.#hostCalls.call(method, args, transfer)
  }

  run(message: CallMessage): void {
    const running = answerCall(message, (args) => this.#serve(message[3], args), this.#post)
    this.#running.add(running)
    void running.then(() => this.#running.delete(running))
  }

  answer(message: Parameters<PendingCalls['answer']>[0]): void {
    this.#hostCalls.answer(message)
  }

  /** Main has given the session up, so its answers will not come. */
  stop(): void {
    this.#hostCalls.end(abortError())
  }

  /** Waits for the calls under way, then ends the service. Never rejects: an error of the service is the result. */
  async close(): Promise<WireError | undefined> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    try {
      await this.service?.close?.()
      return undefined
    } catch (error) {
      return toWire(error)
    } finally {
      this.#hostCalls.end(new BackupError('INTERNAL', 'The session is closed.', { origin: 'repository' }))
    }
  }

  #serve(method: string, args: unknown): unknown {
    this.throwIfAborted()
    return this.service!.call(method, args)
  }
}
