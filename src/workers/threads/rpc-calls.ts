/** Both ends of a session ask and answer alike; this is that common half. */
import { BackupError } from '../../errors.ts'
import {
  type AnswerMessage,
  CALL,
  type CallMessage,
  DONE,
  FAILED,
  type Handler,
  Moved,
  type OpenMessage,
  type Post,
  type Transferable,
} from './rpc.ts'
import { fromWire, toWire } from './wire-error.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: BackupError): void
}

/** Calls sent and not yet answered. */
export class PendingCalls {
  readonly #session: number
  readonly #post: Post<CallMessage>
  readonly #waiting = new Map<number, Waiting>()
  #nextCall = 1
  #ended: BackupError | undefined

  constructor(session: number, post: Post<CallMessage>) {
    this.#session = session
    this.#post = post
  }

  call(method: string, args: unknown, transfer?: Transferable[]): Promise<unknown> {
    return this.send((call) => this.#post([CALL, this.#session, call, method, args], unique(transfer)))
  }

  /** For any message that is answered: `post` gets the number to send it with. */
  send(post: (call: number) => void): Promise<unknown> {
    if (this.#ended !== undefined) return quiet(Promise.reject(this.#ended))
    const call = this.#nextCall++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(call, { resolve, reject })
    try {
      post(call)
    } catch (error) {
      this.#waiting.delete(call)
      reject(uncloneable(error))
    }
    return quiet(promise)
  }

  /** An answer to a call that has been given up is dropped. */
  answer(message: AnswerMessage): void {
    const waiting = this.#waiting.get(message[2])
    if (waiting === undefined) return
    this.#waiting.delete(message[2])
    if (message[0] === DONE) waiting.resolve(message[3])
    else waiting.reject(fromWire(message[3]))
  }

  /** Rejects what is pending and all that comes. The first end counts. */
  end(error: BackupError): void {
    this.#ended ??= error
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) one.reject(error)
  }
}

/**
 * Whoever waits sees the rejection. But when many calls fail together and only the first is waited for, the others
 * must not end the host's process, nor a worker that serves other engines too, as unhandled.
 */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Runs `handler` for a call from the other side and posts its answer, whatever happens. Never throws. */
export async function answerCall(message: CallMessage | OpenMessage, handler: Handler, post: Post<AnswerMessage>) {
  const [, session, call] = message
  try {
    const result = await handler(message[4])
    if (result instanceof Moved) post([DONE, session, call, result.value], unique(result.transfer))
    else post([DONE, session, call, result])
  } catch (error) {
    post([FAILED, session, call, toWire(isCloneError(error) ? uncloneable(error) : error)])
  }
}

function isCloneError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DataCloneError'
}

function uncloneable(error: unknown): BackupError {
  const message = error instanceof Error ? error.message : String(error)
  return new BackupError('INTERNAL', `A value cannot be sent to another thread: ${message}`, {
    origin: 'repository',
    cause: error,
  })
}

/** Two views of one buffer are easily both named; structured clone refuses a buffer named twice. */
export function unique(transfer: Transferable[] | undefined): Transferable[] | undefined {
  return transfer === undefined || transfer.length < 2 ? transfer : [...new Set(transfer)]
}
