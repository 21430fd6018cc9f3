/** Looks at what a listing left: in any thread, one listing after the other, each whole. */
import type { BigIntStats } from 'node:fs'
import { BackupError } from '../../errors.ts'
import { BatchReader, type EntryBatch } from '../../model/entry-batch.ts'
import { abortError } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { LISTED, type Listing } from './listing.ts'
import { lookAt } from './look.ts'
import { TreeScanner } from './scan.ts'
import { checkRootHeld } from './scan-root.ts'
import { EntryTaker, VISITS_PER_ABORT_CHECK } from './scan-taker.ts'
import { metaFromStat, S_IFDIR, S_IFLNK, S_IFMT } from './stat.ts'

const ENTRIES_PER_TURN = 1000

export class EntryLooker extends EntryTaker {
  /** Throws what a scan does. */
  look(listing: Listing): EntryBatch {
    this.beginBatch()
    const { batch, order } = listing
    const paths = listing.paths.split('\0')
    const listed = new BatchReader(batch)
    let next = 0
    for (let i = 0; i < order.length; i++) {
      if (i % VISITS_PER_ABORT_CHECK === 0 && this.options.aborted()) throw abortError()
      if (order[i] === LISTED) this.writer.copy(listed)
      else this.visit(listing, paths[next++]!)
    }
    // After the last look, not before: a root that has gone meanwhile makes all that it holds look gone.
    checkRootHeld(batch.root, listing)
    return this.writer.take(batch.root, batch.prefixBytes, batch.follow)
  }

  private visit(listing: Listing, relative: string): void {
    const { root, prefixBytes } = listing.batch
    const absolute = `${root}/${prefixBytes === 0 ? relative : relative.slice(prefixBytes)}`
    try {
      const stat = lookAt(absolute)
      if (stat === undefined) this.vanished++
      else this.take(listing, relative, absolute, stat)
    } catch (error) {
      this.leaveOut(relative, error)
    }
  }

  private take(listing: Listing, relative: string, absolute: string, stat: BigIntStats): void {
    const format = Number(stat.mode) & S_IFMT
    if (format === S_IFDIR) this.takeFolder(listing, relative, absolute, stat)
    else if (format === S_IFLNK) this.takeLink(relative, absolute, stat)
    else this.takeFile(relative, stat)
  }

  /** It was none when it was listed, a moment ago: rare, so it is scanned here and now, by a scan of its own. */
  private takeFolder({ dev }: Listing, relative: string, absolute: string, stat: BigIntStats): void {
    if (this.plan.oneFileSystem && stat.dev !== dev) {
      this.emit(metaFromStat(relative, stat), stat, 0)
      return
    }
    const roots = [{ path: latin1ToUser(absolute), prefix: latin1ToUser(relative) }]
    const scanner = new TreeScanner({ ...this.plan, roots, include: [] }, this.options)
    for (let done = false; !done; ) {
      const part = nextOf(scanner)
      if (part === undefined) {
        this.vanished++
        return
      }
      const entries = new BatchReader(part.batch)
      for (let i = 0; i < part.batch.count; i++) this.writer.copy(entries)
      done = part.done
    }
  }
}

/** Undefined where the folder has gone again. */
function nextOf(scanner: TreeScanner): { batch: EntryBatch; done: boolean } | undefined {
  try {
    return scanner.next(ENTRIES_PER_TURN)
  } catch (error) {
    if (BackupError.is(error) && error.code === 'SOURCE_NOT_FOUND') return undefined
    throw error
  }
}
