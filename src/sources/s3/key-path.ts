/**
 * Keys as paths of entries, and back. Nearly all keys are paths already. What a path cannot have is written with a '#':
 * an empty segment is '#', '.' is '.#', '..' is '..#'. So that nothing else is taken for those, a segment that begins with
 * a control character, ' ', '!', '"' or '#' (after '', '.' or '..') gets a '#' in front of it. An object whose key is also a
 * folder of others, 'a' beside 'a/b', is 'a/!'. All of that keeps the order of keys segment by segment. In latin1.
 */
import { latin1ToUser } from '../../util/paths.ts'

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: NUL cannot stand in a path, and order needs a partner
const NEEDS_MARK = /^(\.{0,2})(?=$|[\x00-\x23])/
const MARKED = /^(\.{0,2})#/
const LOWEST = /[\x00\x01]/g
const LOWEST_WRITTEN = /\x01[\x01\x02]/g
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above
const ITSELF = '/!'

export function keyToPath(key: string): string {
  return key.split('/').map(toSegment).join('/')
}

function toSegment(part: string): string {
  const marked = part.replace(NEEDS_MARK, '$1#')
  return marked.replace(LOWEST, (byte) => (byte === '\0' ? '\x01\x01' : '\x01\x02'))
}

/** The path of an object whose `path` others need as a folder. */
export function itselfPath(path: string): string {
  return path + ITSELF
}

export function pathToKey(path: string): string {
  const whole = path.endsWith(ITSELF) ? path.slice(0, -ITSELF.length) : path
  return whole.split('/').map(toPart).join('/')
}

function toPart(segment: string): string {
  const plain = segment.replace(LOWEST_WRITTEN, (pair) => (pair === '\x01\x01' ? '\0' : '\x01'))
  return plain.replace(MARKED, '$1')
}

/** As requests have it. Undefined where its bytes are no UTF-8: no request can name it. */
export function textOf(key: string): string | undefined {
  const text = latin1ToUser(key)
  return text.isWellFormed() ? text : undefined
}
