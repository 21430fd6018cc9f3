/** A repository with the index of a large one: real at its end (one small backup), invented fragments in front of it. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeFragment, type PackFacts } from '../../src/model/fragment.ts'
import { CHUNK_ROW_BYTES, encodeDirectory, PACK_BYTES, SEGMENT_BYTES, type SegmentRow } from '../../src/model/pack.ts'
import { rawKey } from '../../src/repository/key-slots-key.ts'
import { openRepository } from '../../src/repository/open.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { zstd } from '../../src/transforms/zstd.ts'

export interface Simulation {
  /** Bytes that the chunks of the index stand for. */
  bytes: number
  /** Of one chunk. */
  chunkBytes: number
  /** Raw bytes of one fragment, at most. */
  fragmentBytes: number
}
export interface Simulated {
  packs: number
  chunks: number
  fragments: number
  /** As stored. */
  indexBytes: number
}

/** Not secret: the data are invented. */
export const benchKey = () => rawKey(new Uint8Array(32).fill(7))

export function writeSmallTree(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (let n = 0; n < 1000; n++) writeFileSync(join(folder, `file-${n}`), `content of file ${n}`)
}

/** Adds the fragments to the repository in `folder`. */
export async function simulateIndex(folder: string, simulation: Simulation): Promise<Simulated> {
  const target = localTarget(folder)
  const registry = new TransformRegistry()
  const { records } = await openRepository({
    target,
    key: benchKey(),
    create: 'never',
    transforms: [zstd()],
    registry,
    now: new Date(),
  })
  const done: Simulated = { packs: 0, chunks: 0, fragments: 0, indexBytes: 0 }
  const total = Math.ceil(simulation.bytes / PACK_BYTES)
  while (done.packs < total) {
    const packs = packsOf(simulation, total - done.packs)
    const key = `index/${randomBytes(32).toString('hex')}`
    const sealed = records.seal('index', key, encodeFragment({ runId: 'simulated', packs }, randomBytes(32)))
    await target.put(key, sealed)
    done.packs += packs.length
    done.chunks += packs.length * chunksPerPack(simulation)
    done.fragments++
    done.indexBytes += sealed.length
  }
  await target.close()
  return done
}

function chunksPerPack({ chunkBytes }: Simulation): number {
  return Math.floor(PACK_BYTES / chunkBytes)
}

function packsOf(simulation: Simulation, most: number): PackFacts[] {
  const packs: PackFacts[] = []
  for (let bytes = 0; packs.length < most; ) {
    const directory = directoryOf(simulation)
    bytes += directory.length + 40
    if (packs.length > 0 && bytes > simulation.fragmentBytes) break
    packs.push({ name: randomBytes(32), packBytes: PACK_BYTES, directory })
  }
  return packs
}

/** Chunks spread evenly over segments of about 1 MiB. */
function directoryOf(simulation: Simulation): Uint8Array {
  const { chunkBytes } = simulation
  const chunks = chunksPerPack(simulation)
  const chunkRows = randomBytes(chunks * CHUNK_ROW_BYTES)
  for (let n = 0; n < chunks; n++) chunkRows.writeUInt32LE(chunkBytes, n * CHUNK_ROW_BYTES + 32)
  const perSegment = Math.max(1, Math.floor(SEGMENT_BYTES / chunkBytes))
  const segments: SegmentRow[] = []
  for (let at = 0; at < chunks; at += perSegment) {
    const count = Math.min(perSegment, chunks - at)
    const bytes = count * chunkBytes
    segments.push({ offset: 40 + at * chunkBytes, storedBytes: bytes, rawBytes: bytes, chunks: count })
  }
  return encodeDirectory({ kind: 'content', segments, chunkRows })
}
