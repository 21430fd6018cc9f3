/**
 * The text that `getfattr` writes and `setfattr` reads. As latin1: one character a byte.
 *
 *   # file: <path>            bytes that would break a line are \ooo
 *   <name>=0x<value>
 *                             an empty line
 */

/** Name to value in base64. Names are text, where bytes that are not UTF-8 are lone surrogates: see util/paths.ts. */
export type DumpedXattrs = Readonly<Record<string, string>>

import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'

const FILE = '# file: '

/** By path in latin1; the names of each in the order of their text, so that equal attributes have equal JSON. */
export function readDump(text: string): Map<string, DumpedXattrs> {
  const found = new Map<string, DumpedXattrs>()
  let path: string | undefined
  let pairs: [string, string][] = []
  const end = (): void => {
    if (path !== undefined && pairs.length > 0) found.set(path, Object.fromEntries(pairs.sort(byName)))
    path = undefined
    pairs = []
  }
  for (const line of text.split('\n')) {
    if (line === '') end()
    else if (line.startsWith(FILE)) path = unquote(line.slice(FILE.length))
    else pairs.push(pairOf(line))
  }
  end()
  return found
}

function byName([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1
}

function pairOf(line: string): [string, string] {
  const equals = line.indexOf('=')
  const name = equals < 0 ? line : line.slice(0, equals)
  const hex = equals < 0 ? '' : line.slice(equals + 3)
  return [latin1ToUser(unquote(name)), Buffer.from(hex, 'hex').toString('base64')]
}

function unquote(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

export function writeDump(files: Iterable<readonly [path: string, xattrs: DumpedXattrs]>): string {
  const parts: string[] = []
  for (const [path, xattrs] of files) {
    parts.push(`${FILE}${quote(path)}\n`)
    for (const [name, value] of Object.entries(xattrs)) {
      parts.push(`${quote(userToLatin1(name))}=0x${Buffer.from(value, 'base64').toString('hex')}\n`)
    }
    parts.push('\n')
  }
  return parts.join('')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these break a line, or the form
const TO_QUOTE = /[\x00-\x1f\\=\x7f]/g

function quote(text: string): string {
  return text.replace(TO_QUOTE, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
