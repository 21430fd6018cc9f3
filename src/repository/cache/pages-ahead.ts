/** Pages that lie behind the one that is asked for, with the same request: whoever reads one mostly reads its neighbours. */
import { BackupError } from '../../errors.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import { packKey } from '../keys-layout.ts'
import type { ObjectCache } from './object-cache.ts'

type Bytes = Uint8Array<ArrayBuffer>
export type FetchRange = (request: RangeRequest) => Promise<Bytes>

interface Segment {
  readonly offset: number
  readonly storedBytes: number
}

/** Of the first request for a pack; the next ones take all that follows. Whoever looks at one folder should not wait for it. */
const FIRST_BYTES = 1024 * 1024

interface Ahead {
  readonly start: number
  readonly end: number
  readonly bytes: Promise<Bytes>
}

export class PagesAhead {
  readonly #cache: ObjectCache
  readonly #segmentsOf: (pack: string) => readonly Segment[] | undefined
  #firstBytes = FIRST_BYTES
  #eager: PagesAhead | undefined
  readonly #running = new Set<Ahead & { readonly pack: string }>()
  readonly #asked = new Set<string>()

  /** `segmentsOf`: of a pack of pages, in order; undefined for any other. Without a cache nothing is read ahead. */
  constructor(cache: ObjectCache, segmentsOf: (pack: string) => readonly Segment[] | undefined) {
    this.#cache = cache
    this.#segmentsOf = segmentsOf
  }

  /** For who will read all pages of a snapshot: whole packs from the first one on. */
  get eager(): PagesAhead {
    if (this.#eager) return this.#eager
    this.#eager = new PagesAhead(this.#cache, this.#segmentsOf)
    this.#eager.#firstBytes = Number.POSITIVE_INFINITY
    return this.#eager
  }

  /** One segment that is not near. What comes with it is, once this resolves. */
  async read(request: RangeRequest, fetch: FetchRange): Promise<Bytes> {
    const { pack, start, end } = request
    for (const ahead of this.#running) {
      if (ahead.pack !== pack || start < ahead.start || end > ahead.end) continue
      // A failure may be the other one's alone, such as its abort.
      const bytes = await ahead.bytes.catch(() => undefined)
      return bytes ? part(bytes, ahead.start, request) : await fetch(request)
    }
    try {
      return part(await this.#fetch(request, fetch), start, request)
    } catch (error) {
      // Damage of what lies behind it is for those who need that.
      if (BackupError.is(error) && error.origin === 'repository') return await fetch(request)
      throw error
    }
  }

  async #fetch(request: RangeRequest, fetch: FetchRange): Promise<Bytes> {
    const { pack, start } = request
    const segments = this.#wanted(request)
    const last = segments.at(-1)!
    const end = last.offset + last.storedBytes
    const bytes = fetch({ ...request, end }).then((fetched) => this.#keep(pack, fetched, start, segments))
    const ahead = { pack, start, end, bytes }
    this.#running.add(ahead)
    try {
      return await bytes
    } finally {
      this.#running.delete(ahead)
    }
  }

  #wanted({ pack, start, end }: RangeRequest): readonly Segment[] {
    const own = { offset: start, storedBytes: end - start }
    const behind = this.#cache.isOn ? this.#segmentsOf(pack)?.filter(({ offset }) => offset >= end) : undefined
    if (!behind) return [own]
    const most = this.#asked.has(pack) ? Number.POSITIVE_INFINITY : this.#firstBytes
    this.#asked.add(pack)
    return [own, ...behind.filter(({ offset, storedBytes }) => offset + storedBytes - start <= most)]
  }

  async #keep(pack: string, bytes: Bytes, start: number, segments: readonly Segment[]): Promise<Bytes> {
    for (const { offset, storedBytes } of segments) {
      const item = { key: packKey(pack), start: offset, bytes: storedBytes }
      await this.#cache.put(item, bytes.subarray(offset - start, offset - start + storedBytes))
    }
    return bytes
  }
}

/** In a buffer of its own: what the worker gets is transferred, and others may wait for the rest. */
function part(bytes: Bytes, from: number, { start, end }: RangeRequest): Bytes {
  return Uint8Array.prototype.slice.call(bytes, start - from, end - from) as Bytes
}
