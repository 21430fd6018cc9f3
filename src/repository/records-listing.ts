/** Reads every record below a prefix, keeping what was decoded: nearly all of them never change. */
import { BackupError, type ErrorCode } from '../errors.ts'
import type { CallSignal, ObjectInfo } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
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

interface Cached<T> {
  readonly stamp: string
  readonly item: T
}

export class RecordListing<T> {
  readonly #records: Records
  readonly #prefix: string
  readonly #decode: (key: string, stored: Uint8Array) => T
  #cache: ReadonlyMap<string, Cached<T>> = new Map()

  /** `decode` is called once for each object and its stamp (size, time, checksum). */
  constructor(records: Records, prefix: string, decode: (key: string, stored: Uint8Array) => T) {
    this.#records = records
    this.#prefix = prefix
    this.#decode = decode
  }

  async list({ signal, select }: ListRecordsOptions = {}): Promise<ListedRecords<T>> {
    const infos = new Map<string, ObjectInfo>()
    for await (const info of this.#records.target.list(this.#prefix, { signal })) infos.set(info.key, info)
    const keys = select?.([...infos.keys()]) ?? [...infos.keys()]
    const known = this.#stillKnown(infos)
    const damaged = await this.#readInto(known, keys, infos, signal)
    this.#cache = known
    return { items: chosen(keys, known), damaged }
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
    for await (const { key, item, error } of mapBounded(wanted, limit, (key, stop) => this.#read(key, stop), signal)) {
      if (error !== undefined) damaged.push({ key, error })
      else if (item !== undefined) known.set(key, { stamp: stampOf(infos.get(key)!), item: item.value })
    }
    return damaged
  }

  /** Neither item nor error: it was deleted after it was listed. */
  async #read(key: string, signal: AbortSignal): Promise<{ key: string; item?: { value: T }; error?: BackupError }> {
    try {
      const stored = await this.#records.find(key, { signal })
      return stored === undefined ? { key } : { key, item: { value: this.#decode(key, stored) } }
    } catch (error) {
      if (isDamage(error)) return { key, error }
      throw error
    }
  }
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
