/** Chunks by id, in a worker: asks the main thread for a segment's bytes, opens it, checks what it takes out. */
import { BackupError } from '../../errors.ts'
import { type ChunkRef, decodeList } from '../../model/streams.ts'
import { MalformedBytes } from '../../util/bytes.ts'
import { isDamage, openFetched, openSegment, packKey, type RangeRequest } from '../segments/segment-open.ts'
import type { Vault } from '../segments/vault.ts'
import type { Host } from '../threads/rpc.ts'
import { allPlaces } from './all-places.ts'
import type { ChunkIndex, Location } from './chunk-index.ts'

const CACHED_SEGMENTS = 6

export class ChunkReader {
  readonly vault: Vault
  readonly host: Host
  readonly index: ChunkIndex
  /** Names of packs in which a chunk that was asked for is missing or damaged. */
  readonly lostPacks = new Set<string>()
  private readonly cache = new Map<number, Promise<Uint8Array>>()
  private readonly cachedSegments: number

  constructor(vault: Vault, index: ChunkIndex, host: Host, cachedSegments = CACHED_SEGMENTS) {
    this.vault = vault
    this.index = index
    this.host = host
    this.cachedSegments = cachedSegments
  }

  /** A view of a cached segment: valid as long as it is held. Checked against its id. */
  async chunk(id: Uint8Array, lengthBytes: number): Promise<Uint8Array> {
    const location = this.index.find(id)
    if (!location) throw missingChunk(id)
    try {
      return await this.chunkAt(location, id, lengthBytes)
    } catch (error) {
      if (!isLost(error)) throw error
      this.lostPacks.add(location.pack)
      const other = await this.fromElsewhere(location, id, lengthBytes)
      if (other) return other
      throw error
    }
  }

  /** Every copy is as good: a backup that met the damage may have stored it again. */
  private async fromElsewhere(failed: Location, id: Uint8Array, lengthBytes: number): Promise<Uint8Array | undefined> {
    for (const location of allPlaces(this.index, id)) {
      if (location.segmentKey === failed.segmentKey) continue
      try {
        return await this.chunkAt(location, id, lengthBytes)
      } catch (error) {
        if (!isLost(error)) throw error
      }
    }
    return undefined
  }

  private async chunkAt(location: Location, id: Uint8Array, lengthBytes: number): Promise<Uint8Array> {
    const opened = this.segment(location)
    const segment = await opened
    try {
      return checkedChunk(this.vault, segment, id, lengthBytes, location)
    } catch (error) {
      if (!isDamage(error)) throw error
      return checkedChunk(this.vault, await this.reload(location, opened), id, lengthBytes, location)
    }
  }

  private segment(location: Location): Promise<Uint8Array> {
    const { segmentKey } = location
    const known = this.cache.get(segmentKey)
    this.cache.delete(segmentKey)
    const opened = known ?? this.load(location)
    this.cache.set(segmentKey, opened)
    // A failure is for those who wait now: whoever asks later tries again.
    if (!known) opened.catch(() => this.cache.get(segmentKey) === opened && this.cache.delete(segmentKey))
    if (this.cache.size > this.cachedSegments) this.cache.delete(this.cache.keys().next().value as number)
    return opened
  }

  private async load(location: Location): Promise<Uint8Array> {
    const request = requestFor(location)
    const bytes = (await this.host.call('range', request)) as Uint8Array
    return openFetched(this, location, bytes, 0, request)
  }

  /** A segment that is sound and another one: what lay near may have been put there in its place. */
  private async reload(location: Location, failed: Promise<Uint8Array>): Promise<Uint8Array> {
    const { segmentKey } = location
    const other = this.cache.get(segmentKey)
    // Somebody else who met the damage has it by now.
    if (other && other !== failed) return await other
    const bytes = (await this.host.call('range', { ...requestFor(location), again: true })) as Uint8Array
    const opened = openSegment(this.vault, bytes, 0, location)
    this.cache.set(segmentKey, Promise.resolve(opened))
    return opened
  }

  /** The references of a list chunk. */
  async list(ref: ChunkRef, level: number): Promise<ChunkRef[]> {
    const bytes = await this.chunk(ref.id!, ref.chunkBytes)
    try {
      return decodeList(bytes, level)
    } catch (error) {
      if (error instanceof MalformedBytes) throw corruptRecord('chunk list', error)
      throw error
    }
  }

  /** Content references of a stream in order, lists walked down. */
  async *contentRefs(refs: readonly ChunkRef[], level: number): AsyncGenerator<ChunkRef> {
    if (level === 0) {
      yield* refs
      return
    }
    for (const ref of refs) {
      if (ref.id) yield* this.contentRefs(await this.list(ref, level - 1), level - 1)
      else yield ref
    }
  }
}

function requestFor({ pack, segmentOffset, storedBytes }: Location): RangeRequest {
  return { pack, start: segmentOffset, end: segmentOffset + storedBytes, metadata: true }
}

/** A chunk of an opened segment, after its id has been computed anew. */
export function checkedChunk(
  vault: Vault,
  segment: Uint8Array,
  id: Uint8Array,
  lengthBytes: number,
  location: Location,
): Uint8Array {
  const { offset } = location
  const end = offset + lengthBytes
  if (location.length !== lengthBytes || end > segment.length) {
    throw corruptChunk(id, location, 'its length differs from what refers to it')
  }
  if (vault.hasher.matches(segment, offset, end, id)) return segment.subarray(offset, end)
  throw corruptChunk(id, location, 'its content does not match its id')
}

/** The repository's own loss or damage, and no failure to get at it. */
export function isLost(error: unknown): error is BackupError {
  return BackupError.is(error) && (error.code === 'OBJECT_MISSING' || error.code === 'OBJECT_CORRUPT')
}

export function missingChunk(id: Uint8Array): BackupError {
  const chunk = Buffer.from(id).toString('hex')
  return new BackupError('OBJECT_MISSING', `Chunk ${chunk} is in no pack that the index knows.`, {
    origin: 'repository',
    details: { chunk },
    hint: 'Run verify to see which snapshots are affected.',
  })
}

function corruptChunk(id: Uint8Array, location: Location, why: string): BackupError {
  return new BackupError('OBJECT_CORRUPT', `A chunk in pack ${location.pack} is damaged: ${why}.`, {
    origin: 'repository',
    details: { chunk: Buffer.from(id).toString('hex'), object: packKey(location.pack) },
  })
}

export function corruptRecord(what: string, cause: Error): BackupError {
  return new BackupError('OBJECT_CORRUPT', `A ${what} cannot be read: ${cause.message}.`, {
    origin: 'repository',
    cause,
  })
}
