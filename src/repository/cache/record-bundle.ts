/**
 * Many small records in one file of the cache, as they are stored: ten thousand files take longer to open and close than all
 * that is in them takes to decode. What it holds is believed no more than a file of its own would be.
 *
 *   bundle = each record: u32 key bytes, key, u32 stored bytes, stored bytes
 */
import type { ObjectInfo } from '../../targets/target.ts'
import { ByteReader, ByteWriter, MalformedBytes } from '../../util/bytes.ts'
import type { ObjectCache } from './object-cache.ts'

/** Fewer are read one by one, and kept one by one. */
export const MIN_BUNDLED = 64
const MAX_KEY_BYTES = 1024
/** Records that are taken out of memory let other work in now and then. */
const YIELD_EVERY = 32

export class RecordBundle {
  readonly #near: ObjectCache
  readonly #name: string
  readonly #held: Map<string, Uint8Array>
  /** Read from elsewhere. */
  readonly #fresh = new Map<string, Uint8Array>()
  /** Of those the ones that are in no file yet. */
  readonly #unkept = new Set<string>()
  #taken = 0
  /** Of all who take, or the others would go on without a break. */
  #pause: Promise<void> | undefined

  private constructor(near: ObjectCache, name: string, held: Map<string, Uint8Array>) {
    this.#near = near
    this.#name = name
    this.#held = held
  }

  /** Of the records below a prefix. Undefined where `count` of them are too few, or nothing is kept. */
  static async open(near: ObjectCache, prefix: string, count: number): Promise<RecordBundle | undefined> {
    if (!near.isOn || count < MIN_BUNDLED) return undefined
    const name = prefix.slice(0, prefix.indexOf('/'))
    const bytes = await near.getBundle(name)
    return new RecordBundle(near, name, bytes === undefined ? new Map() : decode(bytes))
  }

  /** What is held under this key, if it is as long as listed. */
  async get({ key, size }: ObjectInfo): Promise<Uint8Array | undefined> {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    if (++this.#taken % YIELD_EVERY === 0) this.#pause ??= this.#others()
    await this.#pause
    return held.length === size ? held : undefined
  }

  async #others(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#pause = undefined
  }

  /** A record that was not held, or not as it should be. `isKept`: in a file of its own. */
  add(key: string, stored: Uint8Array, isKept: boolean): void {
    this.#fresh.set(key, stored)
    if (!isKept) this.#unkept.add(key)
  }

  /** Keeps what was added: in a new bundle, without what is listed no more, or one by one where it is little. */
  async save(listed: ReadonlyMap<string, unknown>): Promise<void> {
    if (this.#fresh.size >= MIN_BUNDLED) {
      for (const [key, stored] of this.#fresh) this.#held.set(key, stored)
      for (const key of this.#held.keys()) if (!listed.has(key)) this.#held.delete(key)
      await this.#near.putBundle(this.#name, encode(this.#held))
    } else {
      for (const key of this.#unkept) {
        const stored = this.#fresh.get(key)!
        await this.#near.put({ key, bytes: stored.length }, stored)
      }
    }
  }
}

function encode(records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const out = new ByteWriter([...records].reduce((sum, [key, { length }]) => sum + key.length + length + 8, 8))
  for (const [key, stored] of records) {
    const name = Buffer.from(key)
    out.u32(name.length)
    out.raw(name)
    out.u32(stored.length)
    out.raw(stored)
  }
  return out.view()
}

/** As far as it can be read. Records are views of `bytes`. */
function decode(bytes: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>()
  const input = new ByteReader(bytes)
  try {
    while (!input.atEnd) {
      const length = input.u32()
      if (length > MAX_KEY_BYTES) break
      const key = input.raw(length).toString()
      records.set(key, input.raw(input.u32()))
    }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
  }
  return records
}
