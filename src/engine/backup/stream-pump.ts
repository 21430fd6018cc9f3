/**
 * The bytes of one entry, from the plugin that yields them to the worker that cuts them. Small pieces are gathered, large
 * ones are given away as they are; a few are on their way, so that source and worker work at once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BackupError } from '../../errors.ts'
import { release } from '../../util/bytes.ts'
import { Puller } from './pulled.ts'

/** Smaller pieces are copied together: a message costs about as much as copying 100 KiB. */
const DIRECT_BYTES = 256 * 1024
const GATHER_BYTES = 512 * 1024
/** Where gathering begins: most streams that are short are far shorter. */
const FIRST_BYTES = 16 * 1024
/** On their way to the worker, or in it. */
const AHEAD_BYTES = 2 * 1024 * 1024
/** A source that never waits, such as one that computes its rows, must leave the host its turns of the event loop. */
const TURN_MS = 4

/** Gives a piece to the worker by transfer; resolves to it when the worker has room for more. */
export type SendPiece = (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>

export interface PumpOptions {
  source: string
  signal: AbortSignal
  send: SendPiece
  /** Bytes read since the last call. */
  onBytes(bytes: number): void
}

export class StreamPump {
  private readonly options: PumpOptions
  private gathered: Buffer<ArrayBuffer> | undefined
  private filled = 0
  private readonly spare: Buffer<ArrayBuffer>[] = []
  private aheadBytes = 0
  private readonly ahead = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined
  private turnedMs = performance.now()

  constructor(options: PumpOptions) {
    this.options = options
  }

  /** All of it but the last bytes, which are the result: the message that ends the stream takes them along. */
  async run(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
    const puller = new Puller(this.options.source, pieces, this.options.signal)
    try {
      for (let next = await puller.next(); !next.done; next = await puller.next()) {
        await this.take(next.value)
        if (performance.now() - this.turnedMs > TURN_MS) await this.turn()
      }
      await this.room(AHEAD_BYTES)
    } finally {
      await puller.close()
    }
    return this.tail()
  }

  private async turn(): Promise<void> {
    await nextTurn()
    this.turnedMs = performance.now()
  }

  private async take(piece: Uint8Array): Promise<void> {
    if (!(piece instanceof Uint8Array)) throw notBytes(this.options.source, piece)
    if (piece.length >= DIRECT_BYTES) {
      await this.flush()
      await this.post(owned(piece))
      return
    }
    for (let at = 0; at < piece.length; ) {
      const gathered = this.gatherer(piece.length - at)
      const count = Math.min(piece.length - at, gathered.length - this.filled)
      gathered.set(count === piece.length ? piece : piece.subarray(at, at + count), this.filled)
      this.filled += count
      at += count
      if (this.filled === GATHER_BYTES) await this.flush()
    }
    // It was given away. Left to the collector, such pieces make up most of what a backup holds.
    if (piece.length >= FIRST_BYTES && isOwned(piece)) piece.buffer.transfer(0)
  }

  /** What is gathered, with room for some bytes more: all of them, or as many as a full one takes. */
  private gatherer(wanted: number): Buffer {
    const { gathered, filled } = this
    if (gathered && (gathered.length === GATHER_BYTES || filled + wanted <= gathered.length)) return gathered
    const next = !gathered && wanted <= FIRST_BYTES ? Buffer.allocUnsafeSlow(FIRST_BYTES) : this.full()
    if (gathered) next.set(gathered.subarray(0, filled))
    this.gathered = next
    return next
  }

  private full(): Buffer<ArrayBuffer> {
    return this.spare.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES)
  }

  private async flush(): Promise<void> {
    const { gathered, filled } = this
    if (!gathered || filled === 0) return
    this.gathered = undefined
    this.filled = 0
    await this.post(gathered.subarray(0, filled))
  }

  private async post(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { length } = bytes
    this.options.onBytes(length)
    await this.room(length)
    this.aheadBytes += length
    const sent: Promise<void> = this.options
      .send(bytes)
      .then((back) => this.reuse(back))
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => {
        this.aheadBytes -= length
        this.ahead.delete(sent)
      })
    this.ahead.add(sent)
  }

  /** Until so many bytes may follow; one piece at least always may. */
  private async room(bytes: number): Promise<void> {
    while (this.ahead.size > 0 && this.aheadBytes + bytes > AHEAD_BYTES) await Promise.race(this.ahead)
    if (this.failure) throw this.failure.error
  }

  private reuse({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength !== GATHER_BYTES) release(new Uint8Array(buffer))
    else if (this.spare.length < 2) this.spare.push(Buffer.from(buffer))
  }

  private tail(): Uint8Array<ArrayBuffer> {
    const { gathered, filled } = this
    if (filled > 0) this.options.onBytes(filled)
    if (!gathered || filled === 0) return new Uint8Array(0)
    return gathered.subarray(0, filled)
  }
}

/** Bytes that own their buffer are given away; a piece of a pool is copied. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isOwned(bytes) ? bytes : new Uint8Array(bytes)
}

function isOwned(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
}

/** A stream of texts, as one with an encoding gives, would be taken for numbers. */
function notBytes(source: string, piece: unknown): BackupError {
  return new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave a ${typeof piece} where bytes are due.`, {
    origin: 'source',
    details: { source },
    hint: 'Streams of content yield Uint8Array (a Buffer is one); leave out setEncoding and objectMode.',
  })
}
