/** Two sides in any order: rows are matched by key in passes, each over those keys whose hash falls into its part. */
import type { RowChange } from './diff-rows.ts'
import { keyValues, rowChange } from './row-change.ts'
import type { RowSide } from './row-table.ts'

/** Bytes of the base side that one pass holds. */
const PASS_BYTES = 64 * 1024 * 1024

export async function* partitionRows(
  base: RowSide | null,
  head: RowSide | null,
  key: readonly string[],
  passBytes = PASS_BYTES,
): AsyncGenerator<RowChange> {
  const passes = Math.max(1, Math.ceil((base?.sizeBytes ?? 0) / passBytes))
  for (let pass = 0; pass < passes; pass++) {
    const isOurs = (name: string): boolean => passes === 1 || hashOf(name) % passes === pass
    const rows = await rowsOf(base, key, isOurs)
    for await (const [name, line] of keyedLines(head, key)) {
      if (!isOurs(name)) continue
      const before = rows.get(name)
      rows.delete(name)
      if (before === line) continue
      yield rowChange(before === undefined ? null : { side: base!, line: before }, { side: head!, line }, key)
    }
    for (const line of rows.values()) yield rowChange({ side: base!, line }, null, key)
  }
}

async function rowsOf(
  side: RowSide | null,
  key: readonly string[],
  isOurs: (name: string) => boolean,
): Promise<Map<string, string>> {
  const rows = new Map<string, string>()
  for await (const [name, line] of keyedLines(side, key)) if (isOurs(name)) rows.set(name, line)
  return rows
}

async function* keyedLines(side: RowSide | null, key: readonly string[]): AsyncGenerator<[string, string]> {
  if (!side) return
  const positions = side.positions(key)
  for await (const lines of side.lines()) {
    for (const line of lines) yield [keyValues(line, positions).join('\t'), line]
  }
}

/** FNV-1a: any spread will do. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
