/** One shape for everything that can be long: iterate, take a page, take it all. Reads nothing before it is asked to. */
import { BackupError, type Json } from '../errors.ts'
import { invalidOption } from './options/index.ts'
import type { Listing, Page } from './types/run.ts'

const DEFAULT_PAGE = 100
const MAX_PAGE = 10_000

/** Where the items come from. `C` is the place of an item, as plain data: it goes into a cursor and must find it again. */
export interface ListingSource<T, C extends Json> {
  /**
   * From the start, or from behind the item at `after` (even when that one is gone by now). May leave in `note` how many
   * there are in all, where that costs nothing.
   */
  iterate(after: C | undefined, note: { total?: number }): AsyncIterable<T>
  placeOf(item: T): C
  /** Checks what came back from a cursor; undefined = not one of ours. */
  parsePlace(value: unknown): C | undefined
}

export function makeListing<T, C extends Json>(source: ListingSource<T, C>): Listing<T> {
  return {
    page: async (options = {}) => await readPage(source, options),
    toArray: async (options = {}) => {
      const limit = checkLimit(options.limit, Number.MAX_SAFE_INTEGER) ?? Number.MAX_SAFE_INTEGER
      return (await take(source.iterate(undefined, {}), limit)).items
    },
    [Symbol.asyncIterator]: () => source.iterate(undefined, {})[Symbol.asyncIterator](),
  }
}

async function readPage<T, C extends Json>(
  source: ListingSource<T, C>,
  options: { limit?: number; cursor?: string },
): Promise<Page<T>> {
  const limit = checkLimit(options.limit, MAX_PAGE) ?? DEFAULT_PAGE
  const after = options.cursor === undefined ? undefined : decodeCursor(source, options.cursor)
  const note: { total?: number } = {}
  const { items, more } = await take(source.iterate(after, note), limit)
  const last = items.at(-1)
  return {
    items,
    ...(more && last !== undefined ? { next: encodeCursor(source.placeOf(last)) } : {}),
    ...note,
  }
}

/** Asks for one more than it keeps: that is how it knows whether a page follows. */
async function take<T>(items: AsyncIterable<T>, limit: number): Promise<{ items: T[]; more: boolean }> {
  const taken: T[] = []
  for await (const item of items) {
    if (taken.length === limit) return { items: taken, more: true }
    taken.push(item)
  }
  return { items: taken, more: false }
}

function checkLimit(limit: number | undefined, max: number): number | undefined {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 1 && limit <= max)) return limit
  throw invalidOption('limit', `a whole number from 1 to ${max}`, limit)
}

function encodeCursor(place: Json): string {
  return Buffer.from(JSON.stringify([1, place])).toString('base64url')
}

function decodeCursor<C extends Json>(source: ListingSource<unknown, C>, cursor: string): C {
  const place = source.parsePlace(openCursor(cursor))
  if (place !== undefined) return place
  throw new BackupError('INVALID_OPTIONS', "option 'cursor' is not the `next` of a page of this listing", {
    origin: 'usage',
    details: { option: 'cursor' },
    hint: 'Start again without a cursor.',
  })
}

function openCursor(cursor: unknown): unknown {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(String(cursor), 'base64url').toString())
    return Array.isArray(parsed) && parsed.length === 2 && parsed[0] === 1 ? parsed[1] : undefined
  } catch {
    return undefined
  }
}

/** Place of something that has a time and an id: [milliseconds since 1970, id]. */
export type TimePlace = readonly [time: number, id: string]

/** Oldest first; ids break ties. */
export function compareTimePlaces(a: TimePlace, b: TimePlace): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1]))
}

export function parseTimePlace(value: unknown): TimePlace | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [time, id] = value as unknown[]
  return typeof time === 'number' && typeof id === 'string' ? [time, id] : undefined
}

/** A listing over items that are all in memory once `load` has run; `load` gives them sorted by place. */
export function listSorted<T>(options: {
  load(): Promise<readonly T[]>
  placeOf(item: T): TimePlace
  order: 'newest' | 'oldest'
}): Listing<T> {
  const sign = options.order === 'oldest' ? 1 : -1
  return makeListing<T, TimePlace>({
    async *iterate(after, note) {
      const items = await options.load()
      note.total = items.length
      for (const item of items) {
        if (after === undefined || compareTimePlaces(options.placeOf(item), after) * sign > 0) yield item
      }
    },
    placeOf: options.placeOf,
    parsePlace: parseTimePlace,
  })
}

/** A listing that is only made when it is asked for something: what `make` throws rejects there, never at the call. */
export function deferListing<T>(make: () => Listing<T>): Listing<T> {
  return {
    page: async (options) => await make().page(options),
    toArray: async (options) => await make().toArray(options),
    async *[Symbol.asyncIterator]() {
      yield* make()
    },
  }
}
