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

/** What Postgres would print: escapes taken out, UTF-8 decoded. */
export function plainValue(raw: string | undefined): string | null {
  if (raw === undefined) return null
  const text = raw.includes('\\') ? raw.replace(/\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)/gs, unescaped) : raw
  return Buffer.from(text, 'latin1').toString('utf8')
}

function unescaped(_all: string, code: string): string {
  if (/^x./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff)
  return ESCAPES[code] ?? code
}
