/**
 * The words that main thread and workers speak. A session is one service opened in one thread; calls go both ways
 * within it and may overlap. Values cross by structured clone, buffers by transfer where named.
 */
import type { Transferable } from 'node:worker_threads'
import type { WireError } from './wire-error.ts'

export type { Transferable }

/** What a service in a worker sees of the main thread. */
export interface Host {
  /** Calls a handler that the session's opener gave. Rejects with ABORTED once the session is aborted. */
  call(method: string, args: unknown, transfer?: Transferable[]): Promise<unknown>
  /** True once the session was aborted. A shared flag, so it changes in the middle of synchronous loops too. */
  readonly aborted: boolean
  /** Throws ABORTED once the session was aborted. */
  throwIfAborted(): void
  /** Lets other messages in. */
  yield(): Promise<void>
}

/** What runs in a worker for one session. */
export interface Service {
  call(method: string, args: unknown): Promise<unknown> | unknown
  /** Runs once, after the last call has ended, also after an abort. */
  close?(): void | Promise<void>
}

export type CreateService = (name: string, init: unknown, host: Host) => Promise<Service>

/** Returned by a service or a handler in place of a plain value, to transfer buffers in the reply. */
export class Moved {
  readonly value: unknown
  readonly transfer: Transferable[]

  constructor(value: unknown, transfer: Transferable[]) {
    this.value = value
    this.transfer = transfer
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each handler knows the type of its own arguments
export type Handler = (args: any) => unknown | Promise<unknown>
export type Handlers = Readonly<Record<string, Handler>>

/** A place where services run: a worker, or the main thread itself where `inline`. */
export interface Thread {
  readonly id: number
  readonly inline: boolean
  /** Makes a service there. `handlers` answer what it asks of the main thread; unknown methods are INTERNAL. */
  open(service: string, init: unknown, handlers: Handlers, transfer?: Transferable[]): Promise<Session>
}

export interface Session {
  call<T>(method: string, args: unknown, transfer?: Transferable[]): Promise<T>
  /** Rejects all calls under way and to come with ABORTED, at once, and tells the service. `close` still has to follow. */
  abort(reason?: unknown): void
  /** Resolves when nothing of the session runs any more. Without an abort it waits for the calls under way. */
  close(): Promise<void>
}

export const HELLO = 0
export const OPEN = 1
export const CALL = 2
export const DONE = 3
export const FAILED = 4
export const ABORT = 5
export const CLOSE = 6
export const CLOSED = 7
export const END = 8

export type CallMessage = [kind: typeof CALL, session: number, call: number, method: string, args: unknown]
export type OpenMessage = [
  kind: typeof OPEN,
  session: number,
  call: number,
  service: string,
  init: unknown,
  flag: SharedArrayBuffer,
]
export type DoneMessage = [kind: typeof DONE, session: number, call: number, value: unknown]
export type FailedMessage = [kind: typeof FAILED, session: number, call: number, error: WireError]
export type AnswerMessage = DoneMessage | FailedMessage

/** Of the thread itself, not of a session. */
export type EndMessage = [kind: typeof END]
export type ToWorker =
  | OpenMessage
  | CallMessage
  | AnswerMessage
  | [kind: typeof ABORT, session: number]
  | [kind: typeof CLOSE, session: number]

export type ToMain =
  | [kind: typeof HELLO, name: string, version: string]
  | CallMessage
  | AnswerMessage
  | [kind: typeof CLOSED, session: number, error: WireError | undefined]

/** Sends one message; throws where a value cannot be cloned. */
export type Post<M> = (message: M, transfer?: Transferable[]) => void
