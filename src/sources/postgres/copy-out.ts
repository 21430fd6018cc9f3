/** One COPY … TO STDOUT as a stream of bytes: the messages are read off the connection without passing through pg. */
import type { Duplex } from 'node:stream'
import type { Connection, ProtocolConnection, Submittable } from './connection.ts'
import { CopyFrames } from './copy-out-frames.ts'

/** More waiting than this, and the server waits too. */
const MAX_WAITING_BYTES = 1024 * 1024

type DataListener = (chunk: Buffer) => void

/** A query of pg. pg calls the `handle…` methods; `read()` is for us. */
export class CopyOut implements Submittable {
  /** What the server says it sent; known once it has been read to the end. */
  rows: number | undefined
  readonly #sql: string
  readonly #frames = new CopyFrames()
  #stream: Duplex | undefined
  #listener: DataListener | undefined
  #paused = false
  #complete = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(sql: string) {
    this.#sql = sql
  }

  /** Pieces that the reader may keep. Stopping early breaks the connection off: the rest is not worth reading. */
  async *read(connection: Connection): AsyncGenerator<Uint8Array, void, undefined> {
    connection.client.query(this)
    try {
      for (;;) {
        for (let piece = this.#frames.take(); piece !== undefined; piece = this.#frames.take()) {
          this.#flow()
          yield piece
        }
        if (this.#error !== undefined) throw this.#error
        if (this.#complete) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      // After an error message the connection goes on; in the middle of the rows it does not.
      if (!this.#complete && this.#listener !== undefined) connection.destroy()
    }
  }

  submit(connection: ProtocolConnection): void {
    const { stream } = connection
    this.#stream = stream
    const listeners = stream.listeners('data') as DataListener[]
    this.#listener = listeners[0]
    if (listeners.length !== 1) throw new Error('somebody else reads this connection')
    stream.removeListener('data', this.#listener!)
    stream.on('data', this.#onData)
    connection.query(this.#sql)
  }

  readonly #onData = (chunk: Buffer): void => {
    const rest = this.#frames.push(chunk)
    if (rest !== undefined) this.#giveBack(rest)
    else {
      giveUp(chunk)
      if (!this.#paused && this.#frames.readyBytes >= MAX_WAITING_BYTES) this.#pause()
    }
    if (this.#frames.readyBytes > 0) this.#notify()
  }

  #pause(): void {
    this.#paused = true
    this.#stream!.pause()
  }

  /** Lets pg read the connection again, beginning with what follows the rows. */
  #giveBack(rest: Buffer): void {
    const stream = this.#stream!
    const listener = this.#listener!
    this.#listener = undefined
    stream.removeListener('data', this.#onData)
    stream.on('data', listener)
    stream.resume()
    if (rest.length > 0) listener(rest)
  }

  #flow(): void {
    if (!this.#paused || this.#listener === undefined || this.#frames.readyBytes > MAX_WAITING_BYTES / 2) return
    this.#paused = false
    this.#stream!.resume()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  handleError(error: Error): void {
    this.#error = error
    this.#notify()
  }

  handleCommandComplete(message: { text?: string }): void {
    const count = /^COPY (\d+)$/.exec(message.text ?? '')?.[1]
    if (count !== undefined) this.rows = Number(count)
  }

  handleReadyForQuery(): void {
    this.#complete = true
    this.#notify()
  }
}

/**
 * Gives the memory of what was read off the socket back now, its rows having been copied out. Left to the collector, 64 KiB
 * of each read bring on full collections: half of what the main thread does in a backup.
 */
function giveUp({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
