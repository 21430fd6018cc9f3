/** Blocks of a ZIP as blocks of an age file. */
import { AGE_CHUNK_BYTES, type AgeSealer } from '../../crypto/age.ts'
import { release } from '../../util/bytes.ts'

/** The blocks that come in belong to it. */
export async function* sealedBlocks(
  sealer: AgeSealer,
  blocks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield sealer.head
  const chunk = new Uint8Array(AGE_CHUNK_BYTES)
  let filled = 0
  for await (const block of blocks) {
    const out: Uint8Array[] = []
    for (let at = 0; at < block.length; ) {
      // Only when more is there is a full one not the last.
      if (filled === AGE_CHUNK_BYTES) {
        out.push(sealer.seal(chunk, false))
        filled = 0
      }
      const part = block.subarray(at, at + AGE_CHUNK_BYTES - filled)
      chunk.set(part, filled)
      filled += part.length
      at += part.length
    }
    release(block)
    if (out.length > 0) yield joined(out)
  }
  yield sealer.seal(chunk.subarray(0, filled), true)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
