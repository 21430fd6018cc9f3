/**
 * A listing in the order of keys, put into the order of paths. They differ where a name goes on with a character below
 * '/': S3 lists 'a-b', 'a.b', 'a/b', and entries come as 'a/b', 'a-b', 'a.b'. So a row is held until nothing can come any more
 * that goes before it: 'a-b' waits for the folder 'a/', which is over, or was never there, once a key like 'a0' comes. Mostly
 * that is a few rows. Where very many would have to be held, that folder is listed by itself.
 */
import { comparePaths } from '../../util/paths.ts'
import type { ListRows, Row } from './rows.ts'

/** Held at most, and about as many again in each folder that is listed by itself inside of another. */
const MOST_HELD = 10_000
const SLASH = 0x2f
/** Behind every key of a folder. */
const LAST_CHARACTER = Buffer.from('\u{10ffff}').toString('latin1')

export interface OrderOptions {
  readonly mostHeld?: number
}

/** Non-empty batches, of about a page each. */
export async function* inPathOrder(
  list: ListRows,
  prefix: string,
  { mostHeld = MOST_HELD }: OrderOptions = {},
): AsyncGenerator<readonly Row[]> {
  const order = new Order(prefix)
  for (let after: string | undefined, again = true; again; ) {
    again = false
    for await (const page of list(prefix, after)) {
      after = order.take(page)
      for (let stem = order.stem; ; stem = order.stem) {
        const rows = order.release(stem)
        if (rows.length > 0) yield rows
        if (stem === undefined || order.waiting <= mostHeld) break
        yield* inPathOrder(list, `${stem}/`, { mostHeld: Math.max(1, mostHeld >> 1) })
        order.given(stem)
      }
      if (after === undefined) continue
      again = true
      break
    }
  }
  const rest = order.rest()
  if (rest.length > 0) yield rest
}

class Order {
  readonly #prefix: string
  /** In path order, once sorted. */
  #held: Row[] = []
  #last: string | undefined
  /** Names whose folders have been given already, and whether the listing has been moved behind them. */
  readonly #given = new Map<string, boolean>()

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Those that only a folder that may still come keeps; others wait for the end of the folder that is listed now. */
  get waiting(): number {
    return this.#indexAfter(this.#last ?? '')
  }

  #indexAfter(key: string): number {
    let at = this.#held.length
    while (at > 0 && comparePaths(this.#held[at - 1]!.key, key) > 0) at--
    return at
  }

  /** Gives where to go on instead, if what follows has been given already. */
  take(page: readonly Row[]): string | undefined {
    for (const row of page) {
      const stem = this.#givenStem(row.key)
      if (stem === undefined) {
        this.#held.push(row)
        this.#last = row.key
      } else if (this.#given.get(stem) === false) {
        this.#given.set(stem, true)
        this.#sort()
        return `${stem}/${LAST_CHARACTER}`
      }
    }
    this.#sort()
    return undefined
  }

  #sort(): void {
    this.#held.sort((a, b) => comparePaths(a.key, b.key))
  }

  #givenStem(key: string): string | undefined {
    for (const stem of this.#given.keys()) if (key.startsWith(`${stem}/`)) return stem
    return undefined
  }

  given(stem: string): void {
    for (const old of this.#given.keys()) if (!this.#last!.startsWith(old)) this.#given.delete(old)
    this.#given.set(stem, false)
  }

  /** The shortest beginning of the last key whose folder may still come. */
  get stem(): string | undefined {
    const key = this.#last ?? ''
    for (let i = this.#prefix.length; i < key.length; i++) {
      if (key.charCodeAt(i) < SLASH && !this.#given.has(key.slice(0, i))) return key.slice(0, i)
    }
    return undefined
  }

  /** What comes before the folder of that stem; without one, before whatever follows the last key. */
  release(stem: string | undefined): Row[] {
    return this.#held.splice(0, this.#indexAfter(stem === undefined ? (this.#last ?? '') : `${stem}/`))
  }

  rest(): Row[] {
    return this.#held.splice(0)
  }
}
