/** Chunks by id, in a worker: asks the main thread for a segment's bytes, opens it, checks what it takes out. */
import { BackupError } from '../errors.ts'
import { MAX_SEGMENT_RAW_BYTES } from '../model/pack.ts'
import { type ChunkRef, decodeList } from '../model/streams.ts'
import { MalformedBytes } from '../util/bytes.ts'
import type { ChunkIndex, Location } from './chunk-index.ts'
import type { Host } from './rpc.ts'
import type { Vault } from './vault.ts'

/** What the main thread answers to 'range'. */
export interface RangeRequest {
  pack: string
  start: number
  end: number
  /** One segment of pages, lists or facts: worth keeping near. */
  metadata?: boolean
  /**
   * What was given the last time is damaged: it is to come from the target itself. The answer is null where it did so
   * then.
   */
  again?: boolean
}

const CACHED_SEGMENTS = 6

export class ChunkReader {
  private readonly vault: Vault
  private readonly host: Host
  readonly index: ChunkIndex
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
    const opened = this.segment(location)
    try {
      return checkedChunk(this.vault, await opened, id, lengthBytes, location)
    } catch (error) {
      if (!BackupError.is(error) || error.code !== 'OBJECT_CORRUPT') throw error
      const anew = await this.reload(location, opened)
      if (anew === null) throw error
      return checkedChunk(this.vault, anew, id, lengthBytes, location)
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
    const bytes = (await this.host.call('range', requestFor(location))) as Uint8Array
    return openSegment(this.vault, bytes, 0, location)
  }

  /** A segment that could not be used: what lay near may be damaged. Null if it came from the target. */
  private async reload(location: Location, failed: Promise<Uint8Array>): Promise<Uint8Array | null> {
    const { segmentKey } = location
    const other = this.cache.get(segmentKey)
    // Somebody else who met the damage has it by now.
    if (other && other !== failed) return await other
    const bytes = (await this.host.call('range', { ...requestFor(location), again: true })) as Uint8Array | null
    if (bytes === null) return null
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

export function openSegment(
  vault: Vault,
  bytes: Uint8Array,
  at: number,
  expected: { pack: string; storedBytes: number; rawBytes: number },
): Uint8Array {
  const { raw, boxBytes } = openIn(vault, bytes, at, expected.pack)
  if (raw.length !== expected.rawBytes || boxBytes !== expected.storedBytes) {
    throw new BackupError('OBJECT_CORRUPT', `A segment of pack ${expected.pack} is not the one the index describes.`, {
      origin: 'repository',
      details: { object: packKey(expected.pack) },
    })
  }
  return raw
}

function openIn(vault: Vault, bytes: Uint8Array, at: number, pack: string): { raw: Uint8Array; boxBytes: number } {
  try {
    return vault.opener.open(bytes, at, { cls: 'content', maxRawBytes: MAX_SEGMENT_RAW_BYTES })
  } catch (error) {
    if (!BackupError.is(error)) throw error
    throw new BackupError(error.code, `${error.message} (pack ${pack})`, {
      origin: error.origin,
      details: { ...error.details, object: packKey(pack) },
      cause: error,
    })
  }
}

export function packKey(name: string): string {
  return `packs/${name.slice(0, 2)}/${name}`
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
