/** Growing writer and bounds-checked reader of little-endian binary records. No allocation on reads beyond views. */

const utf8 = new TextEncoder()
const word = new DataView(new ArrayBuffer(8))
const wordBytes = new Uint8Array(word.buffer)

export class ByteWriter {
  bytes: Buffer<ArrayBuffer>
  length = 0

  constructor(capacityBytes = 4096) {
    this.bytes = Buffer.from(new ArrayBuffer(capacityBytes))
  }

  /** Makes room for `count` more bytes and gives the position where they go. */
  reserve(count: number): number {
    const at = this.length
    const wanted = at + count
    if (wanted > this.bytes.length) this.grow(wanted)
    this.length = wanted
    return at
  }

  private grow(wanted: number): void {
    const next = Buffer.from(new ArrayBuffer(Math.max(wanted, this.bytes.length * 2)))
    next.set(this.bytes.subarray(0, this.length))
    this.bytes = next
  }

  u8(value: number): void {
    const at = this.reserve(1)
    this.bytes[at] = value
  }

  u32(value: number): void {
    const at = this.reserve(4)
    this.bytes.writeUInt32LE(value, at)
  }

  i64(value: bigint): void {
    const at = this.reserve(8)
    const { bytes } = this
    // Not writeBigInt64LE, which takes the number apart with BigInt arithmetic: 30 ms for 100,000 entries.
    word.setBigInt64(0, value, true)
    for (let i = 0; i < 8; i++) bytes[at + i] = wordBytes[i]!
  }

  /** LEB128, up to 2^53 - 1. */
  varint(value: number): void {
    let rest = value
    let at = this.reserve(8)
    const { bytes } = this
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128)
    }
    bytes[at++] = rest
    this.length = at
  }

  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
  }

  /** Length-prefixed text, one byte a character. */
  latin1(value: string): void {
    this.varint(value.length)
    const at = this.reserve(value.length)
    this.bytes.write(value, at, 'latin1')
  }

  utf8(value: string): void {
    const encoded = utf8.encode(value)
    this.varint(encoded.length)
    this.raw(encoded)
  }

  /** A view of what was written; valid until the next write. */
  view(): Buffer<ArrayBuffer> {
    return this.bytes.subarray(0, this.length)
  }

  /** A copy that owns its buffer. */
  copy(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view())
  }

  reset(): void {
    this.length = 0
  }
}

/** How long a LEB128 number is. */
export function varintBytes(value: number): number {
  let count = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) count++
  return count
}

/** Thrown by ByteReader on any read past its end or a number out of range; callers turn it into their own error. */
export class MalformedBytes extends Error {}

export class ByteReader {
  readonly bytes: Buffer
  position: number
  readonly end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = start
    this.end = end
  }

  get atEnd(): boolean {
    return this.position >= this.end
  }

  /** Moves on by `count` bytes and gives where they begin. */
  take(count: number): number {
    const at = this.position
    if (count < 0 || at + count > this.end) throw new MalformedBytes('cut short')
    this.position = at + count
    return at
  }

  u8(): number {
    return this.bytes[this.take(1)]!
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  i64(): bigint {
    return this.bytes.readBigInt64LE(this.take(8))
  }

  varint(): number {
    const { bytes, end } = this
    let at = this.position
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      if (at >= end) throw new MalformedBytes('cut short')
      const byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        this.position = at
        return value
      }
      scale *= 128
    }
    throw new MalformedBytes('number out of range')
  }

  /** A view, not a copy. */
  raw(count: number): Buffer {
    const at = this.take(count)
    return this.bytes.subarray(at, at + count)
  }

  latin1(maxBytes: number): string {
    const count = this.varint()
    if (count > maxBytes) throw new MalformedBytes('text too long')
    const at = this.take(count)
    return this.bytes.toString('latin1', at, at + count)
  }

  utf8(maxBytes: number): string {
    const count = this.varint()
    if (count > maxBytes) throw new MalformedBytes('text too long')
    const at = this.take(count)
    return this.bytes.toString('utf8', at, at + count)
  }
}

/** Node 26 makes its pool some bytes larger than `Buffer.poolSize`, and refuses to detach it. */
const POOL_SLACK_BYTES = 4096

/**
 * Gives the memory of a large temporary buffer back now. Left to the collector, a megabyte for each step of each segment
 * brings on full collections: a quarter of a backup's CPU time (16.5 against 12.3 s) and 70 MB. Whoever calls it must be the
 * only holder; views of it are empty from then on. Small buffers may share Node's pool and are left alone.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  const pool = Buffer.poolSize + POOL_SLACK_BYTES
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Math.max(pool, 64 * 1024)) buffer.transfer(0)
}

/** The same for a part that a stream gave, which may be small: one that does not fill its buffer is left alone. */
export function releasePart({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
