/** A row of a pack's directory is larger than a tiny file: packs of such are mostly directory. */
import { expect, it } from 'vitest'
import { decodeDirectory, readFooter } from '../../../src/model/pack.ts'
import { ChunkStore } from '../../../src/workers/chunks/chunk-store.ts'
import type { FinishedPack } from '../../../src/workers/ingest/pack-builder.ts'
import type { Vault } from '../../../src/workers/segments/vault.ts'
import type { Host } from '../../../src/workers/threads/rpc.ts'
import { encrypted, opener, sealer } from '../segments/box-support.ts'

const PACK_BYTES = 2 * 1024 * 1024

it.each([3, 40])('packs of chunks of %i bytes hold them all, and none is too large', async (bytes) => {
  const packs: FinishedPack[] = []
  const host = { call: async (_: string, pack: FinishedPack) => packs.push(pack) } as unknown as Host
  // What an id is made of is of no matter here, and 100,000 keyed hashes would take a while.
  const hasher = {
    id: (from: Uint8Array, start: number) => {
      const id = Buffer.alloc(32)
      id.writeUInt32LE(Math.imul(Buffer.from(from.buffer, start, 3).readUIntLE(0, 3) + 1, 0x9e3779b1) >>> 0)
      return id
    },
  }
  const vault = { hasher, sealer: sealer(encrypted), opener: opener(encrypted), compare: true } as unknown as Vault
  const store = new ChunkStore(vault, { tables: [], claims: [], packBytes: PACK_BYTES }, 'content', host)
  const chunk = Buffer.from(new ArrayBuffer(bytes))
  const count = 100_000
  for (let n = 0; n < count; n++) {
    chunk.writeUIntLE(n, 0, 3)
    store.put(chunk, 0, bytes)
  }
  await store.finish()
  expect(packs.length).toBeGreaterThan(1)
  let chunks = 0
  for (const pack of packs) {
    expect(pack.packBytes).toBeLessThanOrEqual(PACK_BYTES)
    const { offset, bytes: length } = readFooter(pack.bytes)
    const box = pack.bytes.subarray(offset, offset + length)
    const { raw } = opener(encrypted).open(box, 0, { cls: 'index', maxRawBytes: PACK_BYTES })
    for (const segment of decodeDirectory(raw).segments) chunks += segment.chunks
  }
  expect(chunks).toBe(count)
})
