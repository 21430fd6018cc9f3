/**
 * Paths in two forms. Inside: latin1 strings, one character a byte, exact whatever the bytes are. For users: text,
 * decoded as UTF-8, where each byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte (Python's surrogateescape),
 * so that every name a file system can hold has one text and goes back to the same bytes.
 */

const SLASH = 0x2f

/** Order of entries: segment by segment, by unsigned bytes, so a folder's content follows it: '/' is below every byte. */
export function comparePaths(a: string, b: string): number {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return x === SLASH ? -1 : y === SLASH ? 1 : x - y
  }
  return a.length - b.length
}

/** As `comparePaths`, on ranges of bytes. */
export function compareBytesPath(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart)
  for (let i = 0; i < common; i++) {
    const x = a[aStart + i]!
    const y = b[bStart + i]!
    if (x !== y) return x === SLASH ? -1 : y === SLASH ? 1 : x - y
  }
  return aEnd - aStart - (bEnd - bStart)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const NOT_ASCII = /[^\x00-\x7f]/

export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** latin1 bytes to the text users see. */
export function latin1ToUser(path: string): string {
  if (isAscii(path)) return path
  const bytes = Buffer.from(path, 'latin1')
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return decodeWithEscapes(bytes)
  }
}

function decodeWithEscapes(bytes: Buffer): string {
  let text = ''
  let at = 0
  while (at < bytes.length) {
    const count = validSequence(bytes, at)
    text += count === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString('utf8', at, at + count)
    at += Math.max(1, count)
  }
  return text
}

/** Bytes of the valid UTF-8 sequence that begins at `at`; 0 when there is none (RFC 3629: no overlong, no surrogates). */
function validSequence(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  const count =
    first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) === 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
  if (count === 0 || at + count > bytes.length) return 0
  const second = bytes[at + 1]!
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let i = at + 2; i < at + count; i++) if ((bytes[i]! & 0xc0) !== 0x80) return 0
  return count
}

/** The inverse of `latin1ToUser`. Any other lone surrogate becomes U+FFFD, as Node does with it everywhere. */
export function userToLatin1(text: string): string {
  if (isAscii(text)) return text
  if (text.isWellFormed()) return Buffer.from(text, 'utf8').toString('latin1')
  let path = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    path +=
      code >= 0xdc80 && code <= 0xdcff ? String.fromCharCode(code - 0xdc00) : Buffer.from(character).toString('latin1')
  }
  return path
}

// An empty, '.' or '..' segment anywhere (a leading '/' makes an empty first one), or a NUL.
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a path for the system
const UNSAFE = /(?:^|\/)\.{0,2}(?:\/|$)|\x00/

/** True for a relative path that cannot leave its root by its text alone: no '', '.', '..' segments, no NUL. */
export function isSafePath(latin1: string): boolean {
  return !UNSAFE.test(latin1)
}
