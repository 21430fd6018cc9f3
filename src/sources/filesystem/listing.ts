/**
 * A stretch of a scan whose files nobody has looked at yet: one thread lists folders in path order, and any thread looks
 * at what they hold. Paths cross as one text, far cheaper than an object or a string each.
 */
import type { EntryBatch } from '../../model/entry-batch.ts'

export interface Listing {
  /** What the lister looked at itself: folders. Its root and prefix are those of `paths` too. */
  batch: EntryBatch
  /** What is left to look at: latin1, relative to the source, with a NUL between two. */
  paths: string
  /** In path order: LISTED where the next of `batch` stands, LEFT where the next of `paths` does. */
  order: Uint8Array<ArrayBuffer>
  /** The root folder, which must still be this one when all has been looked at. */
  dev: bigint
  ino: bigint
}

export const LISTED = 1
export const LEFT = 0

export class ListingWriter {
  private paths: string[] = []
  private order: number[] = []

  get left(): number {
    return this.paths.length
  }

  leave(relative: string): void {
    this.paths.push(relative)
    this.order.push(LEFT)
  }

  listed(): void {
    this.order.push(LISTED)
  }

  /** The listing, and an empty writer. */
  take(batch: EntryBatch, { dev, ino }: { dev: bigint; ino: bigint }): Listing {
    const listing = { batch, paths: this.paths.join('\0'), order: Uint8Array.from(this.order), dev, ino }
    this.paths = []
    this.order = []
    return listing
  }
}
