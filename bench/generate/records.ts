/** Structured data: JSON documents, a log, and a database file of 8 KiB pages. */
import { writeClause } from './prose.ts'
import type { Random } from './random.ts'
import { Pen, type Vocabulary } from './words.ts'

type Column = 'count' | 'time' | 'enum' | 'flag' | 'words' | 'hex' | 'price'
const COLUMNS: readonly Column[] = ['count', 'time', 'enum', 'enum', 'flag', 'words', 'hex', 'price', 'enum']
const STATES = ['active', 'pending', 'closed', 'archived', 'failed', 'draft']

function writeValue(pen: Pen, random: Random, vocabulary: Vocabulary, column: Column, row: number): void {
  if (column === 'count') pen.ascii(String(row * 10 + random.zipf(1000)))
  else if (column === 'time')
    pen.ascii(`"2026-0${1 + (row % 9)}-${10 + (row % 18)}T0${row % 10}:${random.between(10, 59)}:00.000Z"`)
  else if (column === 'enum') pen.ascii(`"${STATES[random.zipf(STATES.length)]}"`)
  else if (column === 'flag') pen.ascii(random.chance(0.8) ? 'true' : 'false')
  else if (column === 'price') pen.ascii(`${random.zipf(500)}.${random.pick(['00', '50', '95', '99'])}`)
  else if (column === 'hex') pen.ascii(`"${random.next().toString(16).padStart(8, '0')}"`)
  else {
    pen.ascii('"')
    writeClause(pen, random, vocabulary, random.between(1, 4))
    pen.ascii('"')
  }
}

/** An array of records with the same keys, pretty-printed or not. */
export function writeJson(pen: Pen, random: Random, vocabulary: Vocabulary, project: number): void {
  const [newline, space] = random.chance(0.7) ? ['\n      ', ' '] : ['', '']
  const keys = Array.from({ length: random.between(5, 11) }, () => ({
    name: (project * 761 + random.zipf(300)) % vocabulary.identifiers.count,
    column: random.pick(COLUMNS),
  }))
  pen.ascii(`{"version":${space}1,"items":${space}[`)
  for (let row = 0; !pen.full; row++) {
    pen.ascii(row === 0 ? '{' : ',{')
    keys.forEach(({ name, column }, i) => {
      pen.ascii(`${i === 0 ? '' : ','}${newline}"`)
      pen.token(vocabulary.identifiers, name)
      pen.ascii(`":${space}`)
      writeValue(pen, random, vocabulary, column, row)
    })
    pen.ascii('}')
  }
}

const LEVELS = ['info', 'info', 'info', 'info', 'debug', 'warn', 'error']

/** Log lines: rising time, few kinds of message, an id and numbers that differ. */
export function writeLog(pen: Pen, random: Random, vocabulary: Vocabulary): void {
  let time = 1_760_000_000_000 + random.below(1_000_000_000)
  while (!pen.full) {
    time += random.zipf(2000)
    const request = random.next().toString(16).padStart(8, '0')
    pen.ascii(`${new Date(time).toISOString()} ${random.pick(LEVELS)} [web-${random.below(4)}] ${request} `)
    pen.token(vocabulary.phrases, random.zipf(400))
    pen.ascii(` path=/api/v1/`)
    pen.token(vocabulary.identifiers, random.zipf(200))
    pen.ascii(`/${random.below(100_000)} status=${random.chance(0.93) ? 200 : 404} ms=${random.zipf(3000)}\n`)
  }
}

const PAGE = 8192

function writeRow(pen: Pen, random: Random, vocabulary: Vocabulary, id: number): void {
  const view = new DataView(pen.out.buffer, pen.out.byteOffset + pen.at)
  view.setUint32(0, 0x01000018, true)
  view.setUint32(4, id, true)
  view.setBigUint64(8, 1_760_000_000_000_000n + BigInt(id) * 1_000n + BigInt(random.below(1000)), true)
  view.setUint32(16, random.next(), true)
  view.setUint32(20, random.next(), true)
  view.setUint32(24, random.zipf(100_000), true)
  pen.at += 28
  writeClause(pen, random, vocabulary, random.between(1, 6))
  pen.at = (pen.at + 7) & ~7
}

function writePage(page: Uint8Array, random: Random, vocabulary: Vocabulary, number: number): void {
  const pen = new Pen(page)
  const view = new DataView(page.buffer, page.byteOffset)
  view.setUint32(0, number * 977, true)
  view.setUint16(12, 24, true)
  pen.at = 24
  // Room is left for the longest row, as a fill factor would.
  for (let row = 0; pen.at < PAGE - 1200; row++) writeRow(pen, random, vocabulary, number * 40 + row)
}

/** Pages of rows, with free space at their end and one page in twelve empty. */
export function writeDatabase(pen: Pen, random: Random, vocabulary: Vocabulary): void {
  pen.out.fill(0, pen.at)
  for (let number = random.below(1_000_000); pen.at + PAGE <= pen.out.length; number++) {
    if (!random.chance(1 / 12)) writePage(pen.out.subarray(pen.at, pen.at + PAGE), random, vocabulary, number)
    pen.at += PAGE
  }
  pen.at = pen.out.length
}
