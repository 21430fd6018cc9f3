/** How far a sink is: by the content it reads, and by what it says is done. */
import type { SinkEntry } from '../../sources/sink.ts'
import { rowsIn } from '../rows.ts'

export interface ReaderProgress {
  read(path: string, bytes: number): void
  done(entry: SinkEntry): void
  /** All that was selected has been listed; `rows` of them undefined where nobody counted. */
  listed(rows: number | undefined): void
}

/** While a plan is made, nothing is done yet. */
export const SINK_PROGRESS_OFF: ReaderProgress = {
  read: () => undefined,
  done: () => undefined,
  listed: () => undefined,
}

type AddProgress = (entries: number, bytes: number, path: string, rows?: number) => void

/** Bytes count as they are read, but those of an entry only once, and all of them when it is done. */
export class CountedReading implements ReaderProgress {
  private readonly counted = new Map<string, number>()
  private readonly add: AddProgress
  private readonly expect: (rows: number) => void

  constructor(add: AddProgress, expect: (rows: number) => void) {
    this.add = add
    this.expect = expect
  }

  /** A sink may list them again: they are the same. */
  listed(rows: number | undefined): void {
    if (rows !== undefined) this.expect(rows)
  }

  read(path: string, bytes: number): void {
    const before = this.counted.get(path) ?? 0
    const isDone = before === Number.POSITIVE_INFINITY
    if (!isDone) this.counted.set(path, before + bytes)
    this.add(0, isDone ? 0 : bytes, path)
  }

  done({ path, from = path, size, facts }: SinkEntry): void {
    const before = this.counted.get(from) ?? 0
    if (before === Number.POSITIVE_INFINITY) return
    this.counted.set(from, Number.POSITIVE_INFINITY)
    this.add(1, Math.max(0, size - before), from, rowsIn(facts))
  }
}
