/** Seeded random numbers (sfc32): the same seed gives the same tree on every machine. */

export class Random {
  #a: number
  #b: number
  #c: number
  #count: number

  constructor(seed: number) {
    this.#a = seed >>> 0
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
    this.#c = 0xc2b2ae35
    this.#count = 1
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 32 random bits as an unsigned integer. */
  next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0
    return t >>> 0
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x100000000) * limit)
  }

  /** An integer from `low` to `high`, both possible. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability * 0x100000000
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** A normal deviate times `sigma`, exponentiated, times `median`: file sizes look like this. */
  logNormal(median: number, sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log((this.next() + 1) / 0x100000001))
    return median * Math.exp(sigma * radius * Math.cos((2 * Math.PI * this.next()) / 0x100000000))
  }

  /** A rank below `limit` by Zipf's law (exponent 1): rank 0 is by far the most frequent. */
  zipf(limit: number): number {
    return Math.floor((limit + 1) ** (this.next() / 0x100000000)) - 1
  }
}

/** A seed made of two numbers; close inputs give unrelated seeds. */
export function mixSeed(a: number, b: number): number {
  let h = Math.imul(a ^ 0x2545f491, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca77)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae3d)
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f)
  return (h ^ (h >>> 16)) >>> 0
}
