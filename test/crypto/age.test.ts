import { describe, expect, it } from 'vitest'
import { AGE_CHUNK_BYTES, AGE_SEALED_BYTES, AgeOpener, AgeSealer } from '../../src/crypto/age.ts'
import { sealedBlocks } from '../../src/workers/zip/age-blocks.ts'

const LOG_N = 10

/** In blocks of a length that chunks are no multiple of. */
async function* blocks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.slice(at, at + 100_000)
}

async function sealed(bytes: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of sealedBlocks(await AgeSealer.create('secret', LOG_N), blocks(bytes))) parts.push(part)
  return Buffer.concat(parts)
}

describe('a file of age', () => {
  it.each([0, 1, AGE_CHUNK_BYTES - 1, AGE_CHUNK_BYTES, AGE_CHUNK_BYTES + 1, 3 * AGE_CHUNK_BYTES])(
    'of %i bytes has as many chunks as the format says, the last one marked, and gives them back',
    async (length) => {
      const bytes = new Uint8Array(length).map((_, i) => i * 7 + (i >> 8))
      const file = await sealed(bytes)
      const opener = await AgeOpener.create(file, 'secret')
      const chunks = Math.max(1, Math.ceil(length / AGE_CHUNK_BYTES))
      expect(file.length).toBe(opener.start + length + chunks * (AGE_SEALED_BYTES - AGE_CHUNK_BYTES))
      const out: Uint8Array[] = []
      for (let i = 0; i < chunks; i++) {
        const start = opener.start + i * AGE_SEALED_BYTES
        const chunk = file.subarray(start, start + AGE_SEALED_BYTES)
        const isLast = i === chunks - 1
        expect(opener.open(i, chunk, !isLast)).toBeUndefined()
        expect(opener.open(i + 1, chunk, isLast)).toBeUndefined()
        out.push(opener.open(i, chunk, isLast)!)
      }
      expect(Buffer.concat(out).equals(bytes)).toBe(true)
    },
  )

  it('is refused where it is for a public key, or costs too much', async () => {
    const head = (stanza: string) =>
      Buffer.from(`age-encryption.org/v1\n-> ${stanza}\n${'A'.repeat(43)}\n--- ${'A'.repeat(43)}\n`)
    const opening = (stanza: string) => AgeOpener.create(Buffer.concat([head(stanza), Buffer.alloc(99)]), 'secret')
    await expect(opening(`X25519 ${'A'.repeat(43)}`)).rejects.toMatchObject({ code: 'ZIP_ENCRYPTED' })
    await expect(opening(`scrypt ${'A'.repeat(22)} 30`)).rejects.toMatchObject({ details: { reason: 'cost' } })
  })
})
