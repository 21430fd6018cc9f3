/** A hash of a plain dump that stays the same while the schema does, whatever client and day wrote it. */
import { sha256Hex } from '../../crypto/hash.ts'

const BLOCK_CHARACTERS = 1024 * 1024
const VARYING = /^(--.*|\\(un)?restrict .*|)$/

export class SchemaHash {
  readonly #decoder = new TextDecoder()
  #state = ''
  #block = ''
  #rest = ''

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) if (!VARYING.test(line)) this.#add(line)
  }

  /** Folded at each limit that a line passes, so that pieces of another size give the same. */
  #add(line: string): void {
    this.#block += `${line}\n`
    if (this.#block.length >= BLOCK_CHARACTERS) this.#fold()
  }

  #fold(): void {
    this.#state = sha256Hex(Buffer.from(this.#state + this.#block))
    this.#block = ''
  }

  digest(): string {
    this.#add(this.#rest)
    this.#rest = ''
    this.#fold()
    return this.#state
  }
}
