/** A made-up language: words by Zipf's law, phrases that come again, identifiers made of words. */
import { Random } from './random.ts'

/** Many short byte strings in one array, so that writing one is a plain copy loop. */
export interface TokenTable {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
  readonly count: number
}

export interface Vocabulary {
  readonly words: TokenTable
  readonly phrases: TokenTable
  /** camelCase names; a project uses a window of them, a file a handful of the window. */
  readonly identifiers: TokenTable
}

const ONSETS = 'b c d f g h j k l m n p r s t v w z b d f l m n r s t br ch cl gr pl pr sh st th tr'.split(' ')
const NUCLEI = 'a e i o u a e i o ai ee ou'.split(' ')
const CODAS = ['', '', '', '', '', 'n', 'r', 's', 't', 'l', 'd', 'm', 'ck', 'ng', 'st']
const COMMON =
  'the of and to in is for that it on with as be by this are or from at an not if can which file data value when all'.split(
    ' ',
  )

/** A word that can be spoken; also used in file names. */
export function makeWord(random: Random): string {
  let word = ''
  const syllables = 1 + random.zipf(4)
  for (let i = 0; i < syllables; i++) word += random.pick(ONSETS) + random.pick(NUCLEI) + random.pick(CODAS)
  return word
}

function makeWords(random: Random, count: number): string[] {
  const words = new Set(COMMON)
  while (words.size < count) words.add(makeWord(random))
  return [...words]
}

function makePhrase(random: Random, words: readonly string[]): string {
  const length = random.between(2, 5)
  return Array.from({ length }, () => words[random.zipf(words.length)]).join(' ')
}

function makeIdentifier(random: Random, words: readonly string[]): string {
  const parts = Array.from({ length: random.between(1, 3) }, () => words[30 + random.zipf(3000)] as string)
  return parts.map((part, i) => (i === 0 ? part : (part[0] as string).toUpperCase() + part.slice(1))).join('')
}

function toTable(tokens: readonly string[]): TokenTable {
  const offsets = new Uint32Array(tokens.length + 1)
  tokens.forEach((token, i) => {
    offsets[i + 1] = (offsets[i] as number) + token.length
  })
  return { bytes: new TextEncoder().encode(tokens.join('')), offsets, count: tokens.length }
}

/** The one vocabulary of a generated tree (about 60,000 tokens; some 50 ms to make). */
export function makeVocabulary(seed: number): Vocabulary {
  const random = new Random(seed)
  const words = makeWords(random, 20_000)
  const phrases = Array.from({ length: 12_000 }, () => makePhrase(random, words))
  const identifiers = Array.from({ length: 30_000 }, () => makeIdentifier(random, words))
  return { words: toTable(words), phrases: toTable(phrases), identifiers: toTable(identifiers) }
}

/** Appends bytes to a fixed buffer and silently stops at its end: a file's size is decided before its content. */
export class Pen {
  readonly out: Uint8Array
  at = 0

  constructor(out: Uint8Array) {
    this.out = out
  }

  get full(): boolean {
    return this.at >= this.out.length
  }

  token(table: TokenTable, index: number): void {
    const { bytes, offsets } = table
    const end = offsets[index + 1] as number
    const { out } = this
    let at = this.at
    for (let i = offsets[index] as number; i < end && at < out.length; i++) out[at++] = bytes[i] as number
    this.at = at
  }

  ascii(text: string): void {
    const { out } = this
    let at = this.at
    for (let i = 0; i < text.length && at < out.length; i++) out[at++] = text.charCodeAt(i)
    this.at = at
  }
}
