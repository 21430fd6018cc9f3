/** Questions and answers between the benchmark and its two child processes. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

interface Question {
  readonly id: number
  readonly verb: string
  readonly argument: unknown
}
interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** What a child offers: verbs with one plain argument and a plain result. */
// biome-ignore lint/suspicious/noExplicitAny: each handler names its own argument; the caller's type checks it
export type Handlers = Record<string, (argument: any) => unknown>

/** In the child: answers every question with a handler's result. */
export function answer(handlers: Handlers): void {
  process.on('message', async ({ id, verb, argument }: Question) => {
    try {
      process.send?.({ id, value: await handlers[verb]?.(argument) } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}

type Reply<H extends Handlers, V extends keyof H> = Awaited<ReturnType<H[V]>>

/** A child process whose handlers can be called. */
export class Child<H extends Handlers> {
  readonly #process
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #asked = 0

  constructor(file: string) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)))
    this.#process.on('message', ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    this.#process.once('exit', (code) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`${file} ended with ${code}`))
    })
  }

  ask<V extends keyof H & string>(verb: V, argument?: Parameters<H[V]>[0]): Promise<Reply<H, V>> {
    const id = ++this.#asked
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#process.send({ id, verb, argument } satisfies Question)
    return waiting.promise as Promise<Reply<H, V>>
  }

  end(): void {
    this.#process.disconnect()
  }
}
