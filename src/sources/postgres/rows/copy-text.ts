/** Rows of COPY's text format: lines, tabs between values, `\N` for null, backslash escapes. */
import { BackupError } from '../../../errors.ts'

const LINE_FEED = 0x0a
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/**
 * Lines as latin1 text, without their line feed: bytes as they are, one for one. A line feed inside a value is escaped, so
 * every one of them ends a row. @throws BackupError OBJECT_CORRUPT where the last row has no end
 */
export async function* copyLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? asBuffer(piece) : Buffer.concat([rest, piece])
    const end = bytes.lastIndexOf(LINE_FEED)
    rest = bytes.subarray(end + 1)
    if (end >= 0) yield bytes.toString('latin1', 0, end).split('\n')
  }
  if (rest.length > 0) {
    throw new BackupError('OBJECT_CORRUPT', 'The rows of a table end in the middle of one.', {
      origin: 'repository',
      details: { bytesAfterLastRow: rest.length },
    })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A row's values as they stand, escaped; `undefined` for null. */
export function rawValues(line: string): (string | undefined)[] {
  return line.split('\t').map((value) => (value === '\\N' ? undefined : value))
}

/** By the names of Postgres, where TextDecoder has another one. */
const DECODERS: Readonly<Record<string, string>> = {
  LATIN1: 'iso-8859-1',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  EUC_JP: 'euc-jp',
  EUC_KR: 'euc-kr',
  EUC_CN: 'gbk',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  WIN866: 'ibm866',
}

/** Text of a table's rows, whose bytes are of this encoding; of one that is not known here, a character for each byte. */
export function textDecoder(encoding: string): (bytes: Buffer) => string {
  if (encoding === 'UTF8') return (bytes) => bytes.toString('utf8')
  const label =
    DECODERS[encoding] ?? encoding.replace(/^WIN(125\d|874)$/, 'windows-$1').replace(/^ISO_8859_/, 'iso-8859-')
  try {
    const decoder = new TextDecoder(label)
    return (bytes) => decoder.decode(bytes)
  } catch {
    return (bytes) => bytes.toString('latin1')
  }
}

/** What Postgres would print: escapes taken out, decoded. */
export function plainValue(raw: string | undefined, decode = textDecoder('UTF8')): string | null {
  if (raw === undefined) return null
  const text = raw.includes('\\') ? raw.replace(/\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)/gs, unescaped) : raw
  return decode(Buffer.from(text, 'latin1'))
}

function unescaped(_all: string, code: string): string {
  if (/^x./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff)
  return ESCAPES[code] ?? code
}
