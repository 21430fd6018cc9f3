/** A table of a snapshot, as its entries describe it, and the rows of those ranges that are asked for. */
import { BackupError, type Json } from '../../../errors.ts'
import { copyLines, textDecoder } from './copy-text.ts'
import type { RowEngine, RowEntry } from './diff-rows.ts'

/** Types whose order in SQL is known here: numbers by value, uuids by their text. */
const INTEGERS = new Set(['smallint', 'integer', 'bigint', 'int2', 'int4', 'int8', 'oid'])

/** What is read of one side. */
export interface RowSide {
  readonly columns: readonly string[]
  /** Bytes of a value as text. */
  decode?(bytes: Buffer): string
  /** Bytes of it. */
  readonly sizeBytes: number
  /** Batches of lines, from the beginning, each time it is called. */
  lines(): AsyncGenerator<string[]>
  /** Positions of these columns. */
  positions(names: readonly string[]): number[]
  /** Orders two keys of raw values. */
  compare(a: readonly string[], b: readonly string[]): number
}

export class RowTable {
  readonly columns: readonly string[]
  readonly primaryKey: readonly string[]
  readonly hashes: readonly string[]
  private readonly facts: Readonly<Record<string, Json>>
  private readonly ranges: readonly RowEntry[]
  private readonly open: (range: RowEntry) => Promise<AsyncIterable<Uint8Array>>

  private constructor(
    facts: Readonly<Record<string, Json>>,
    ranges: readonly RowEntry[],
    open: (range: RowEntry) => Promise<AsyncIterable<Uint8Array>>,
  ) {
    this.facts = facts
    this.ranges = ranges
    this.open = open
    this.columns = columnFacts(facts)
      .filter(({ generated }) => !generated)
      .map(({ name }) => name)
    this.primaryKey = (facts.key ?? []) as string[]
    this.hashes = ranges.map(({ facts: { sha256 } }) => sha256).filter((hash) => typeof hash === 'string')
  }

  /** Undefined where the snapshot has no such table. */
  static async open<Ref>(
    engine: RowEngine<Ref>,
    snapshot: Ref,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<RowTable | undefined> {
    const call = { snapshot, ...(signal && { signal }) }
    const slash = path.lastIndexOf('/')
    const table = await findEntry(engine.entries({ ...call, path: path.slice(0, slash) }), path)
    if (table?.type !== 'table') return undefined
    const ranges: RowEntry[] = []
    for await (const entry of engine.entries({ ...call, path })) if (entry.type === 'rows') ranges.push(entry)
    return new RowTable(table.facts, ranges, ({ path: range }) => engine.read({ ...call, path: range }))
  }

  isOrderedBy(key: readonly string[]): boolean {
    const { rowOrder, rowOrderBy } = this.facts
    if (rowOrder !== 'key' || !Array.isArray(rowOrderBy)) return false
    return key.every((name, i) => rowOrderBy[i] === name) && this.types(key).every(isComparable)
  }

  private types(names: readonly string[]): string[] {
    const columns = columnFacts(this.facts)
    return names.map((name) => columns.find((column) => column.name === name)?.type ?? '')
  }

  side(without: ReadonlySet<string>): RowSide {
    const { columns, open } = this
    const ranges = this.ranges.filter(({ facts: { sha256 } }) => !without.has(sha256 as string))
    const integers = this.types(this.primaryKey).map((type) => INTEGERS.has(type))
    return {
      columns,
      decode: textDecoder(String(this.facts.encoding ?? 'UTF8')),
      sizeBytes: ranges.reduce((sum, { size }) => sum + size, 0),
      lines: async function* () {
        for (const range of ranges) yield* copyLines(await open(range))
      },
      positions: (names) => names.map((name) => columns.indexOf(name)),
      compare: (a, b) => compareKeys(a, b, integers),
    }
  }
}

/** A missing folder is an answer here. */
async function findEntry(entries: AsyncIterable<RowEntry>, path: string): Promise<RowEntry | undefined> {
  try {
    for await (const entry of entries) if (entry.path === path) return entry
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'ENTRY_NOT_FOUND') throw error
  }
  return undefined
}

function columnFacts(facts: Readonly<Record<string, Json>>): { name: string; type: string; generated?: Json }[] {
  return (facts.columns ?? []) as { name: string; type: string; generated?: Json }[]
}

function isComparable(type: string): boolean {
  return INTEGERS.has(type) || type === 'uuid'
}

function compareKeys(a: readonly string[], b: readonly string[], integers: readonly boolean[]): number {
  for (let i = 0; i < integers.length; i++) {
    const order = integers[i] ? compareIntegers(a[i]!, b[i]!) : Number(a[i]! > b[i]!) - Number(a[i]! < b[i]!)
    if (order !== 0) return order
  }
  return 0
}

/** As text: a bigint does not fit into a number, and BigInt costs ten times as much. */
function compareIntegers(a: string, b: string): number {
  if (a === b) return 0
  const [negativeA, negativeB] = [a.startsWith('-'), b.startsWith('-')]
  if (negativeA !== negativeB) return negativeA ? -1 : 1
  const larger = a.length === b.length ? a > b : a.length > b.length
  return larger === negativeA ? -1 : 1
}
