/** Two sides in key order, merged as they stream: memory is one piece of each. */
import type { RowChange } from './diff-rows.ts'
import { keyValues, rowChange } from './row-change.ts'
import type { RowSide } from './row-table.ts'

export async function* mergeRows(
  base: RowSide | null,
  head: RowSide | null,
  key: readonly string[],
): AsyncGenerator<RowChange> {
  const left = new LineCursor(base, key)
  const right = new LineCursor(head, key)
  const { compare } = (base ?? head)!
  try {
    await Promise.all([left.next(), right.next()])
    for (;;) {
      if (left.line === undefined && right.line === undefined) return
      const order = left.line === undefined ? 1 : right.line === undefined ? -1 : compare(left.key, right.key)
      if (order !== 0 || left.line !== right.line) {
        const before = order <= 0 ? { side: base!, line: left.line! } : null
        const after = order >= 0 ? { side: head!, line: right.line! } : null
        yield rowChange(before, after, key)
      }
      // A promise for each row would cost more than the row.
      if (order <= 0 && !left.step()) await left.next()
      if (order >= 0 && !right.step()) await right.next()
    }
  } finally {
    await Promise.allSettled([left.close(), right.close()])
  }
}

class LineCursor {
  line: string | undefined
  key: string[] = []
  private readonly batches: AsyncGenerator<string[]> | undefined
  private readonly positions: readonly number[]
  private lines: string[] = []
  private at = 0

  constructor(side: RowSide | null, key: readonly string[]) {
    this.batches = side?.lines()
    this.positions = side?.positions(key) ?? []
  }

  /** False where the next batch is needed. */
  step(): boolean {
    if (this.at >= this.lines.length) return false
    this.line = this.lines[this.at++]!
    this.key = keyValues(this.line, this.positions)
    return true
  }

  async next(): Promise<void> {
    while (!this.step()) {
      const batch = await this.batches?.next()
      if (!batch || batch.done) {
        this.line = undefined
        return
      }
      this.lines = batch.value
      this.at = 0
    }
  }

  async close(): Promise<void> {
    await this.batches?.return(undefined)
  }
}
