/**
 * The tokens of Postgres SQL, as far as one must know them to cut a script into statements and to find names in it. Works
 * on any string whose characters above 0x7f belong to names and literals: text, or bytes as latin1.
 */

export type TokenKind = 'space' | 'comment' | 'word' | 'quoted' | 'string' | 'dollar' | 'meta' | 'symbol'

export interface Token {
  readonly kind: TokenKind
  readonly start: number
  /** Just after its last character. */
  readonly end: number
}

const TAB = 0x09
const LINE_FEED = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const DOUBLE_QUOTE = 0x22
const DOLLAR = 0x24
const QUOTE = 0x27
const STAR = 0x2a
const DASH = 0x2d
const SLASH = 0x2f
const BACKSLASH = 0x5c

/**
 * The token that begins at `at`; null when its end is not in the text. With `whole` the text is all there is: what is not
 * closed ends with it, and null means that nothing is left.
 */
export function tokenAt(text: string, at: number, whole = true): Token | null {
  if (at >= text.length) return null
  const [kind, end] = measure(text, at, whole)
  if (end >= 0 && (whole || end < text.length || CLOSED.has(kind))) return { kind, start: at, end }
  return whole ? { kind, start: at, end: text.length } : null
}

/** These carry their own last character; others may go on in text that is still to come. */
const CLOSED: ReadonlySet<TokenKind> = new Set(['dollar', 'meta'])

function measure(text: string, at: number, whole: boolean): [TokenKind, number] {
  const code = text.charCodeAt(at)
  const next = text.charCodeAt(at + 1)
  if (isSpace(code)) return ['space', spaceEnd(text, at)]
  if (code === DASH && next === DASH) return ['comment', lineEnd(text, at)]
  if (code === SLASH && next === STAR) return ['comment', commentEnd(text, at)]
  if (code === QUOTE) return ['string', quoteEnd(text, at + 1, QUOTE)]
  if (code === DOUBLE_QUOTE) return ['quoted', quoteEnd(text, at + 1, DOUBLE_QUOTE)]
  if (code === BACKSLASH) return ['meta', lineEnd(text, at)]
  if (code === DOLLAR) return dollar(text, at, whole)
  if (isWordStart(code)) return word(text, at)
  if (isDigit(code)) return ['symbol', wordEnd(text, at)]
  return ['symbol', at + 1]
}

function spaceEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && isSpace(text.charCodeAt(end))) end++
  return end
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? -1 : end + 1
}

function commentEnd(text: string, at: number): number {
  let depth = 1
  for (let i = at + 2; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === SLASH && text.charCodeAt(i + 1) === STAR) {
      depth++
      i++
    } else if (code === STAR && text.charCodeAt(i + 1) === SLASH) {
      if (--depth === 0) return i + 2
      i++
    }
  }
  return -1
}

/** After the closing quote; a doubled one stands for itself. */
function quoteEnd(text: string, from: number, quote: number): number {
  const mark = String.fromCharCode(quote)
  for (let i = text.indexOf(mark, from); i >= 0; i = text.indexOf(mark, i + 2)) {
    if (text.charCodeAt(i + 1) !== quote) return i + 1
  }
  return -1
}

/** As quoteEnd, where a backslash takes the character after it along: E'…'. */
function escapedEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) {
      if (text.charCodeAt(i + 1) !== QUOTE) return i + 1
      i++
    }
  }
  return -1
}

function word(text: string, at: number): [TokenKind, number] {
  const end = wordEnd(text, at)
  if (end - at === 1 && text.charCodeAt(end) === QUOTE) {
    const code = text.charCodeAt(at) | 0x20
    if (code === 0x65) return ['string', escapedEnd(text, end + 1)]
    if (code === 0x62 || code === 0x78 || code === 0x6e) return ['string', quoteEnd(text, end + 1, QUOTE)]
  }
  return ['word', end]
}

/** `$tag$ … $tag$`, or a lone dollar (a parameter such as $1). */
function dollar(text: string, at: number, whole: boolean): [TokenKind, number] {
  let end = at + 1
  if (isWordStart(text.charCodeAt(end))) while (isTagPart(text.charCodeAt(end))) end++
  if (end >= text.length && !whole) return ['dollar', -1]
  if (text.charCodeAt(end) !== DOLLAR) return ['symbol', at + 1]
  const tag = text.slice(at, end + 1)
  const close = text.indexOf(tag, end + 1)
  return ['dollar', close < 0 ? -1 : close + tag.length]
}

function wordEnd(text: string, at: number): number {
  let end = at + 1
  while (end < text.length && isWordPart(text.charCodeAt(end))) end++
  return end
}

function isSpace(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= RETURN && code !== LINE_FEED) || code === LINE_FEED
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isWordStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || code >= 0x80
}

function isTagPart(code: number): boolean {
  return isWordStart(code) || isDigit(code)
}

function isWordPart(code: number): boolean {
  return isTagPart(code) || code === DOLLAR
}

/** A word or symbol that means something: names are unquoted, words are in lower case. */
export interface Piece {
  readonly kind: 'word' | 'quoted' | 'string' | 'symbol'
  readonly value: string
  readonly start: number
  readonly end: number
}

/** What a statement consists of, without space and comments. */
export function* pieces(text: string): Generator<Piece, void, undefined> {
  for (let token = tokenAt(text, 0); token !== null; token = tokenAt(text, token.end)) {
    const { kind, start, end } = token
    if (kind === 'space' || kind === 'comment' || kind === 'meta') continue
    yield { kind: kind === 'dollar' ? 'string' : kind, value: meaningOf(text.slice(start, end), kind), start, end }
  }
}

function meaningOf(raw: string, kind: TokenKind): string {
  if (kind === 'word') return raw.toLowerCase()
  if (kind === 'quoted') return raw.slice(1, -1).replaceAll('""', '"')
  if (kind === 'string') return raw.slice(raw.indexOf("'") + 1, -1).replaceAll("''", "'")
  if (kind === 'dollar') return raw.slice(raw.indexOf('$', 1) + 1, raw.lastIndexOf('$', raw.length - 2))
  return raw
}
