/** Reads every record below a prefix, keeping what was decoded: nearly all of them never change. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError, type ErrorCode } from '../errors.ts'
import type { CallSignal, ObjectInfo } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { RecordBundle } from './cache/record-bundle.ts'
import type { Records } from './records.ts'

/** One object that could not be read; the others are listed all the same. */
export interface DamagedObject {
  readonly key: string
  readonly error: BackupError
}

export interface ListedRecords<T> {
  /** By object key. */
  readonly items: ReadonlyMap<string, T>
  readonly damaged: readonly DamagedObject[]
}

export interface ListRecordsOptions extends CallSignal {
  /** Which of the listed keys to read. Default: all. */
  select?: (keys: readonly string[]) => readonly string[]
}

const MAX_READS = 32
const DAMAGE: ReadonlySet<ErrorCode> = new Set(['OBJECT_CORRUPT', 'FORMAT_UNSUPPORTED', 'TRANSFORM_UNKNOWN'])

/** True for what is wrong with one object, false for what is wrong with the target or the call. */
export function isDamage(error: unknown): error is BackupError {
  return BackupError.is(error) && DAMAGE.has(error.code)
}

/** What a prefix held when it was listed. Nothing of it is read before it is asked for. */
export interface ListedKeys<T> {
  readonly keys: readonly string[]
  /** Of these keys. What was deleted meanwhile is left out. */
  read(keys: readonly string[], signal?: AbortSignal): Promise<ListedRecords<T>>
}

interface Cached<T> {
  readonly stamp: string
  readonly item: T
}

export class RecordListing<T> {
  readonly #records: Records
  readonly #prefix: string
  readonly #decode: (key: string, stored: Uint8Array) => T
  readonly #near: ObjectCache
  #cache: ReadonlyMap<string, Cached<T>> = new Map()

  /**
   * `decode` is called once for each object and its stamp (size, time, checksum). `near` is asked before the target. It is
   * believed where the size is the listed one, and the checksum where one is listed: all but snapshots is never
   * overwritten, and what takes a snapshot's place, a tombstone, is always shorter. Times are not asked: some stores
   * count whole seconds, and whoever has just stored a record does not know its time.
   */
  constructor(
    records: Records,
    prefix: string,
    decode: (key: string, stored: Uint8Array) => T,
    near: ObjectCache = NO_CACHE,
  ) {
    this.#records = records
    this.#prefix = prefix
    this.#decode = decode
    this.#near = near
  }

  async list({ signal, select }: ListRecordsOptions = {}): Promise<ListedRecords<T>> {
    const { keys, read } = await this.look({ signal })
    return await read(select?.(keys) ?? keys, signal)
  }

  async look({ signal }: CallSignal = {}): Promise<ListedKeys<T>> {
    const infos = new Map<string, ObjectInfo>()
    for await (const info of this.#records.target.list(this.#prefix, { signal })) infos.set(info.key, info)
    const known = this.#stillKnown(infos)
    this.#cache = known
    return {
      keys: [...infos.keys()],
      read: async (keys, stop) => {
        const damaged = await this.#readInto(known, keys, infos, stop)
        return { items: chosen(keys, known), damaged }
      },
    }
  }

  /** What the cache holds of the listed objects, without those whose stamp says that they were overwritten. */
  #stillKnown(infos: ReadonlyMap<string, ObjectInfo>): Map<string, Cached<T>> {
    const known = new Map<string, Cached<T>>()
    for (const [key, info] of infos) {
      const cached = this.#cache.get(key)
      if (cached?.stamp === stampOf(info)) known.set(key, cached)
    }
    return known
  }

  async #readInto(
    known: Map<string, Cached<T>>,
    keys: readonly string[],
    infos: ReadonlyMap<string, ObjectInfo>,
    signal: AbortSignal | undefined,
  ): Promise<DamagedObject[]> {
    const wanted = keys.filter((key) => !known.has(key))
    const limit = Math.max(1, Math.min(MAX_READS, this.#records.target.traits.maxConcurrency))
    const damaged: DamagedObject[] = []
    const bundle = await RecordBundle.open(this.#near, this.#prefix, wanted.length)
    const read = (key: string, stop: AbortSignal): Promise<Read<T>> => this.#read(infos.get(key)!, bundle, stop)
    try {
      for await (const { key, item, error } of mapBounded(wanted, limit, read, signal)) {
        if (error !== undefined) damaged.push({ key, error })
        else if (item !== undefined) known.set(key, { stamp: stampOf(infos.get(key)!), item: item.value })
      }
    } finally {
      await bundle?.save(infos)
    }
    return damaged
  }

  async #read(info: ObjectInfo, bundle: RecordBundle | undefined, signal: AbortSignal): Promise<Read<T>> {
    const { key } = info
    const near = (await this.#readBundled(info, bundle)) ?? (await this.#readNear(info, bundle))
    if (near !== undefined) return { key, item: near }
    try {
      const stored = await this.#records.find(key, { signal })
      if (stored === undefined) return { key }
      const item = { value: this.#decode(key, stored) }
      if (bundle) bundle.add(key, stored, false)
      else await this.#near.put({ key, bytes: stored.byteLength }, stored)
      return { key, item }
    } catch (error) {
      if (isDamage(error)) return { key, error }
      throw error
    }
  }

  /** Undefined where it is not as it should be, as a file of its own would be then. */
  async #readBundled(info: ObjectInfo, bundle: RecordBundle | undefined): Promise<{ value: T } | undefined> {
    const stored = await bundle?.get(info)
    return stored && this.#ifSound(info, stored)
  }

  async #readNear(info: ObjectInfo, bundle: RecordBundle | undefined): Promise<{ value: T } | undefined> {
    const item = { key: info.key, bytes: info.size }
    const stored = await this.#near.get(item)
    if (stored === undefined) return undefined
    const found = this.#ifSound(info, stored)
    if (found === undefined) await this.#near.drop(item)
    else bundle?.add(info.key, stored, true)
    return found
  }

  #ifSound(info: ObjectInfo, stored: Uint8Array): { value: T } | undefined {
    try {
      return this.#fitsChecksum(info, stored) ? { value: this.#decode(info.key, stored) } : undefined
    } catch (error) {
      if (!isDamage(error)) throw error
      return undefined
    }
  }

  #fitsChecksum({ checksum }: ObjectInfo, stored: Uint8Array): boolean {
    const { checksums } = this.#records.target.traits
    return checksum === undefined || checksums !== 'sha256' || checksum === sha256Hex(stored)
  }
}

/** Neither item nor error: it was deleted after it was listed. */
interface Read<T> {
  readonly key: string
  readonly item?: { readonly value: T }
  readonly error?: BackupError
}

function stampOf(info: ObjectInfo): string {
  return `${info.size}/${info.modifiedAt?.getTime() ?? ''}/${info.checksum ?? ''}`
}

function chosen<T>(keys: readonly string[], known: ReadonlyMap<string, Cached<T>>): Map<string, T> {
  const items = new Map<string, T>()
  for (const key of keys) {
    const cached = known.get(key)
    if (cached !== undefined) items.set(key, cached.item)
  }
  return items
}
