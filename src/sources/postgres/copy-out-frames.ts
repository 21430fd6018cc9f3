/** Takes the rows out of the messages of a COPY … TO STDOUT. Pure: bytes in, bytes out, nothing of the network. */

/** Pieces are given away whole, so each has memory of its own. */
const PIECE_BYTES = 256 * 1024
const HEADER_BYTES = 5
const COPY_DATA = 0x64
const COPY_DONE = 0x63
const ERROR = 0x45
/** Below it a loop is faster than a call of copyWithin. */
const SHORT_ROW_BYTES = 24

export class CopyFrames {
  /** Bytes of finished pieces that nobody has taken. */
  readyBytes = 0
  readonly #ready: Uint8Array[] = []
  #piece: Buffer | undefined
  #filled = 0
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerFilled = 0
  /** Bytes that the message under way still lacks. */
  #left = 0
  #wanted = false

  /**
   * Takes bytes of the connection; they are changed. When the COPY is over, gives what belongs to whoever reads the
   * connection next: the bytes after CopyDone, or from the error message on.
   */
  push(chunk: Buffer): Buffer | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) at = this.#middle(chunk, at)
      else if (this.#headerFilled === 0 && chunk.length - at > HEADER_BYTES) {
        const next = this.#wholeRows(chunk, at)
        if (next > at) at = next
        else if (chunk[at] === ERROR) return this.#end(chunk.subarray(at))
        else at = this.#open(chunk, at) + HEADER_BYTES
      } else {
        at = this.#gather(chunk, at)
        if (this.#headerFilled < HEADER_BYTES) return undefined
        if (this.#header[0] === ERROR) return this.#end(Buffer.concat([this.#header, chunk.subarray(at)]))
        this.#headerFilled = 0
        this.#open(this.#header, 0)
      }
      if (this.#over) return this.#end(chunk.subarray(at))
    }
    return undefined
  }

  #over = false

  #end(rest: Buffer): Buffer {
    if (this.#filled > 0) this.#giveAway()
    return rest
  }

  /** The next piece, if one is finished. */
  take(): Uint8Array | undefined {
    const piece = this.#ready.shift()
    if (piece !== undefined) this.readyBytes -= piece.length
    return piece
  }

  /** Closes the gaps between rows that lie whole in the chunk, in place, and copies them at once. Gives where it stopped. */
  #wholeRows(chunk: Buffer, start: number): number {
    let read = start
    let write = start
    while (read + HEADER_BYTES <= chunk.length && chunk[read] === COPY_DATA) {
      const from = read + HEADER_BYTES
      const to = read + 1 + lengthAt(chunk, read + 1)
      if (to > chunk.length) break
      if (to - from <= SHORT_ROW_BYTES) for (let i = from; i < to; i++) chunk[write++] = chunk[i]!
      else {
        chunk.copyWithin(write, from, to)
        write += to - from
      }
      read = to
    }
    if (write > start) this.#append(chunk, start, write)
    return read
  }

  #middle(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left)
    if (this.#wanted) this.#append(chunk, at, end)
    this.#left -= end - at
    return end
  }

  #gather(chunk: Buffer, at: number): number {
    const count = Math.min(HEADER_BYTES - this.#headerFilled, chunk.length - at)
    chunk.copy(this.#header, this.#headerFilled, at, at + count)
    this.#headerFilled += count
    return at + count
  }

  /** Begins a message whose rows are not all there, or that is none of rows: a notice, a changed setting. */
  #open(bytes: Buffer, at: number): number {
    this.#left = lengthAt(bytes, at + 1) - 4
    this.#wanted = bytes[at] === COPY_DATA
    this.#over = bytes[at] === COPY_DONE
    return at
  }

  #append(from: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES)
      const count = Math.min(end - at, PIECE_BYTES - this.#filled)
      from.copy(this.#piece, this.#filled, at, at + count)
      this.#filled += count
      at += count
      if (this.#filled === PIECE_BYTES) this.#giveAway()
    }
  }

  #giveAway(): void {
    const piece = this.#piece!
    // A short last piece would keep all of its memory alive.
    const own = this.#filled > PIECE_BYTES / 2 ? piece.subarray(0, this.#filled) : shortCopy(piece, this.#filled)
    this.#ready.push(own)
    this.readyBytes += own.length
    this.#piece = undefined
    this.#filled = 0
  }
}

function shortCopy(piece: Buffer, length: number): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(length)
  piece.copy(copy, 0, 0, length)
  return copy
}

function lengthAt(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
