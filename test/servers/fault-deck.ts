/** Which requests a fault strikes: seeded, at an exact rate, so that a run of any length meets each planned kind. */

/**
 * Nothing reaches the store:
 * - `slow-down`: 503 SlowDown with Retry-After. `failed`: 500 InternalError. `reset`: the connection breaks.
 * - `time-out`: there is never an answer.
 *
 * The store gets it, but:
 * - `lost-reply`: the connection breaks in place of the answer.
 * - `truncated`: the answer breaks off in its middle. `bent`: one bit of the answer's body is another.
 * - `bent-upload`: one bit of the request's body is another.
 * - `late`: the connection breaks; the store gets it when `applyLate()` says so.
 * - `unconditional`: without its `If-None-Match`.
 * - `duplicated`: a listing has each row twice. `stale`: a listing is the one that was given before.
 */
export type ProxyFault =
  | 'slow-down'
  | 'failed'
  | 'reset'
  | 'time-out'
  | 'lost-reply'
  | 'truncated'
  | 'bent'
  | 'bent-upload'
  | 'late'
  | 'unconditional'
  | 'duplicated'
  | 'stale'

export interface ProxyPlan {
  readonly fault: ProxyFault
  /** As in /^(GET|HEAD)$/. Default: all that the fault can be of. */
  readonly methods?: RegExp
  /**
   * Of the path and query below the bucket, decoded, as in 'packs/ab/…' or '?list-type=2&prefix=index/'. Default: all that
   * the fault can be of.
   */
  readonly keys?: RegExp
  /** Of each 1 / rate requests that fit one is struck, at a place that the seed chooses. Either this or `nth`. */
  readonly rate?: number
  /** The nth request that fits, from 1, and no other. */
  readonly nth?: number
}

/** What a fault could be of, where a plan names no methods. */
const METHODS: Partial<Record<ProxyFault, RegExp>> = {
  truncated: /^GET$/,
  bent: /^GET$/,
  'bent-upload': /^PUT$/,
  late: /^(PUT|DELETE)$/,
  unconditional: /^PUT$/,
  duplicated: /^GET$/,
  stale: /^GET$/,
}

/** Where a plan names no keys. Nothing could notice another bit in a listing, since S3 has no checksum of one. */
const KEYS: Partial<Record<ProxyFault, RegExp>> = {
  bent: /^[^?]/,
  duplicated: /^\?list-type=2/,
  stale: /^\?list-type=2/,
}

interface Deck {
  readonly plan: ProxyPlan
  readonly random: () => number
  /** Requests that fitted, and which one of the present block is struck. */
  seen: number
  struck: number
}

/** Says of each request what strikes it, and counts. */
export class FaultDeck {
  readonly counts: Partial<Record<ProxyFault, number>> = {}
  readonly #decks: readonly Deck[]

  constructor(plans: readonly ProxyPlan[], seed: number) {
    this.#decks = plans.map((plan, i) => ({ plan, random: seeded(seed * 1000 + i), seen: 0, struck: -1 }))
  }

  /** Every fault draws for every request that fits it; the first that strikes is the one. */
  next(method: string, key: string): ProxyFault | undefined {
    const struck = this.#decks.filter((deck) => fits(deck.plan, method, key) && strikes(deck))
    const fault = struck[0]?.plan.fault
    if (fault !== undefined) this.counts[fault] = (this.counts[fault] ?? 0) + 1
    return fault
  }

  /** Kinds that are planned and have struck nothing. */
  missed(): ProxyFault[] {
    return [...new Set(this.#decks.map(({ plan }) => plan.fault))].filter((fault) => !this.counts[fault])
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }
}

function fits(
  { fault, methods = METHODS[fault] ?? /./, keys = KEYS[fault] ?? /^/ }: ProxyPlan,
  method: string,
  key: string,
): boolean {
  return methods.test(method) && keys.test(key)
}

function strikes(deck: Deck): boolean {
  const { rate = 0, nth } = deck.plan
  const place = deck.seen++
  if (nth !== undefined) return deck.seen === nth
  const block = Math.round(1 / rate)
  if (place % block === 0) deck.struck = place + Math.floor(deck.random() * block)
  return place === deck.struck
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
