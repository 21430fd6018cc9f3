/** Where the bytes of a ZIP go: gathered, counted and hashed on the way. */
import { type Sha256Stream, sha256Stream } from '../../crypto/hash.ts'
import { throwIfAborted } from '../../util/abort.ts'

/** Takes what it is given at once, or copies it: buffers are used again. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>
  /** Gives the names of what is there now. */
  finish(): Promise<string[]>
  /** Takes everything away again. Never rejects. */
  abort(reason: unknown): Promise<void>
}

const GATHER_BYTES = 256 * 1024

export class ArchiveOut {
  private readonly sink: ByteSink
  private readonly signal: AbortSignal
  private readonly sha: Sha256Stream = sha256Stream()
  private readonly gathered = Buffer.alloc(GATHER_BYTES)
  private filled = 0
  /** Bytes so far. */
  position = 0

  constructor(sink: ByteSink, signal: AbortSignal) {
    this.sink = sink
    this.signal = signal
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.position += bytes.length
    if (this.filled + bytes.length > GATHER_BYTES) await this.flush()
    if (bytes.length > GATHER_BYTES) return this.pass(bytes)
    this.gathered.set(bytes, this.filled)
    this.filled += bytes.length
  }

  private async flush(): Promise<void> {
    const { filled } = this
    this.filled = 0
    if (filled > 0) await this.pass(this.gathered.subarray(0, filled))
  }

  private async pass(bytes: Uint8Array): Promise<void> {
    throwIfAborted(this.signal)
    this.sha.update(bytes)
    await this.sink.write(bytes)
  }

  async finish(): Promise<{ volumes: string[]; bytes: number; sha256: string }> {
    await this.flush()
    const volumes = await this.sink.finish()
    return { volumes, bytes: this.position, sha256: this.sha.digestHex() }
  }
}
