/** One of two trees that are merged: at an entry, at the border before a page that is not opened yet, or at its end. */
import type { TreeRoot } from '../../model/page.ts'
import { comparePaths } from '../../util/paths.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import { EntryCursor, type PageStop } from './page-cursor.ts'

export class MergeSide {
  private readonly at: EntryCursor | undefined
  private readonly from: string
  private isAtBorder = true

  /** `root` null: a tree without entries. Entries before `from` are left out. */
  constructor(reader: ChunkReader, root: TreeRoot | null, from: string) {
    this.at = root ? new EntryCursor(reader, root, { from }) : undefined
    this.from = from
  }

  /** Of an entry only. */
  get cursor(): EntryCursor {
    return this.at!
  }

  /** Undefined at a border and at the end. */
  get path(): string | undefined {
    return this.isAtBorder ? undefined : this.at?.path
  }

  /** The page that begins here: the one to be opened, or the leaf of an entry that is its first. */
  get page(): PageStop | undefined {
    return this.isAtBorder ? this.at?.pageAhead : this.at?.leafBegun
  }

  /** True where the next entry, if any, is in a page not opened yet. */
  get needsPage(): boolean {
    return this.isAtBorder && this.at?.pageAhead !== undefined
  }

  /** To the next entry, or to the border behind the leaf. */
  advance(): void {
    const { at } = this
    if (at!.needsLeaf) this.isAtBorder = true
    else at!.step()
  }

  /** Passes by the page that begins here. */
  skip(): void {
    if (this.isAtBorder) this.at!.skipPage()
    else this.at!.leaveLeaf()
    this.isAtBorder = true
  }

  /** Opens the page to come, one level at a time. */
  async open({ level }: PageStop): Promise<void> {
    if (level > 0) await this.at!.openPage(this.at!.pageAhead!)
    else await this.enter()
  }

  /** To the first entry of the next leaf. */
  async enter(): Promise<void> {
    this.isAtBorder = !(await this.at!.next())
    for (let path = this.path; path !== undefined && comparePaths(path, this.from) < 0; path = this.path) this.advance()
  }
}

/**
 * Brings both sides to an entry or to their end. Pages that are the same on both are passed by without being opened,
 * leaves and whole subtrees alike. Gives how many entries that were, on both sides together.
 */
export async function align(base: MergeSide, head: MergeSide): Promise<number> {
  let passed = 0
  while (base.needsPage || head.needsPage) {
    const [before, after] = [base.page, head.page]
    if (before && after && isSame(before, after)) {
      passed += before.ref.entries + after.ref.entries
      base.skip()
      head.skip()
    } else if (before && after && before.level + after.level > 0) {
      if (before.level >= after.level) await base.open(before)
      if (after.level >= before.level) await head.open(after)
    } else {
      if (base.needsPage) await base.enter()
      if (head.needsPage) await head.enter()
    }
  }
  return passed
}

function isSame(a: PageStop, b: PageStop): boolean {
  return a.level === b.level && Buffer.compare(a.ref.id, b.ref.id) === 0
}
