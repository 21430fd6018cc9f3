/** A source of any number of entries without content, in folders of ten thousand, of which some are changed. */
import type { Source, SourceEntry } from '../../src/index.ts'

export interface GeneratedOptions {
  readonly entries: number
  /** Spread evenly. */
  readonly changed: number
}

const PER_FOLDER = 10_000
const BATCH = 1000
const MTIME_NS = 1_700_000_000_000_000_000n

export function folderOf(n: number): string {
  return `folder-${String(Math.floor(n / PER_FOLDER)).padStart(6, '0')}`
}

export function pathOf(n: number): string {
  return `${folderOf(n)}/entry-${String(n).padStart(9, '0')}`
}

export function generated({ entries, changed }: GeneratedOptions): Omit<Source, 'apiVersion'> {
  const apart = changed === 0 ? Number.POSITIVE_INFINITY : Math.floor(entries / changed)
  const entry = (n: number): SourceEntry => ({
    path: pathOf(n),
    type: 'file',
    size: 0,
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    mtimeNs: MTIME_NS + BigInt(n) + (n % apart === apart - 1 ? 1_000_000_000n : 0n),
  })
  return {
    name: 'generated',
    kind: 'generated',
    open: async () => ({
      describe: async () => ({}),
      totals: async () => ({ items: entries, bytes: 0 }),
      async *entries() {
        for (let at = 0; at < entries; at += BATCH) {
          yield Array.from({ length: Math.min(BATCH, entries - at) }, (_, i) => entry(at + i))
        }
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  }
}
