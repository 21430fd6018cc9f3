/** How far a sink is: by the content it reads, and by what it says is done. */
import type { SinkEntry } from '../../sources/sink.ts'

export interface ReaderProgress {
  read(path: string, bytes: number): void
  done(entry: SinkEntry): void
}

/** While a plan is made, nothing is done yet. */
export const SINK_PROGRESS_OFF: ReaderProgress = { read: () => undefined, done: () => undefined }

/** Bytes count as they are read, but those of an entry only once, and all of them when it is done. */
export class CountedReading implements ReaderProgress {
  private readonly counted = new Map<string, number>()
  private readonly add: (entries: number, bytes: number, path: string) => void

  constructor(add: (entries: number, bytes: number, path: string) => void) {
    this.add = add
  }

  read(path: string, bytes: number): void {
    const before = this.counted.get(path) ?? 0
    const isDone = before === Number.POSITIVE_INFINITY
    if (!isDone) this.counted.set(path, before + bytes)
    this.add(0, isDone ? 0 : bytes, path)
  }

  done({ path, from = path, size }: SinkEntry): void {
    const before = this.counted.get(from) ?? 0
    if (before === Number.POSITIVE_INFINITY) return
    this.counted.set(from, Number.POSITIVE_INFINITY)
    this.add(1, Math.max(0, size - before), from)
  }
}
