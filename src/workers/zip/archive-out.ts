/** What a ZIP is written to: bytes are gathered to blocks, which go into a stream as fast as that is read. */
import { PassThrough } from 'node:stream'

export const BLOCK_BYTES = 256 * 1024

export class ArchiveOut {
  readonly stream = new PassThrough({ highWaterMark: BLOCK_BYTES })
  private block = new Uint8Array(BLOCK_BYTES)
  private filled = 0
  /** Bytes so far. */
  position = 0

  /** Takes a copy. */
  async write(bytes: Uint8Array): Promise<void> {
    this.position += bytes.length
    for (let at = 0; at < bytes.length; ) {
      if (this.filled === BLOCK_BYTES) await this.pass()
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.filled)
      this.block.set(part, this.filled)
      this.filled += part.length
      at += part.length
    }
  }

  /** The block belongs to the reader: another is taken for what comes. */
  private pass(): Promise<void> {
    const full = this.block.subarray(0, this.filled)
    this.block = new Uint8Array(BLOCK_BYTES)
    this.filled = 0
    return new Promise((resolve, reject) => {
      this.stream.write(full, (error) => (error ? reject(error) : resolve()))
    })
  }

  async end(): Promise<void> {
    if (this.filled > 0) await this.pass()
    this.stream.end()
  }
}
