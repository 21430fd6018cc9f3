/** Worker service 'scan': reads directories of one source, batch by batch, as fast as they are asked for. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { batchTransfer, type EntryBatch } from '../../model/entry-batch.ts'
import { EntryLooker } from '../../sources/filesystem/entry-looker.ts'
import type { Listing } from '../../sources/filesystem/listing.ts'
import { TreeScanner } from '../../sources/filesystem/scan.ts'
import { dressBatch } from '../../sources/filesystem/xattr-records.ts'
import type { ScanPlan } from '../../sources/source.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'

export interface ScanInit {
  plan: ScanPlan
  onUnreadable: 'fail' | 'skip'
  /** Give the extended attributes of all entries along, where the plan has them: `next` only. */
  xattrs?: boolean
}

export interface ScanAnswer {
  batch: EntryBatch
  done: boolean
  warnings: Warning[]
}

/** Of 'list'. What it leaves goes to 'look' of any session with the same plan, which answers as 'next' does. */
export interface ListAnswer {
  listing: Listing
  done: boolean
  warnings: Warning[]
}

export async function createScan(init: ScanInit, host: Host): Promise<Service> {
  return new ScanService(init, host)
}

class ScanService implements Service {
  private warnings: Warning[] = []
  private readonly scanner: TreeScanner
  private readonly looker: EntryLooker
  private readonly dresses: boolean
  private last: Promise<unknown> = Promise.resolve()

  constructor({ plan, onUnreadable, xattrs = false }: ScanInit, host: Host) {
    this.dresses = xattrs && plan.xattrs === true
    const options = {
      onUnreadable,
      warn: (warning: Warning) => this.warnings.push(warning),
      aborted: () => host.aborted,
      nowMs: Date.now,
    }
    this.scanner = new TreeScanner(plan, options)
    this.looker = new EntryLooker(plan, options)
  }

  call(method: string, args: unknown): Moved | Promise<Moved> {
    if (method === 'next' && this.dresses) return this.dressedNext(args as number)
    if (method === 'next') return this.answer(this.scanner.next(args as number))
    if (method === 'list') return this.list(args as number)
    if (method === 'look') return this.answer({ batch: this.looker.look(args as Listing), done: false })
    throw new BackupError('INTERNAL', `scan has no method ${method}`, { origin: 'source' })
  }

  /** Calls may be sent ahead; they run one after the other. */
  private dressedNext(maxEntries: number): Promise<Moved> {
    const next = this.last.then(async () => {
      const { batch, done } = this.scanner.next(maxEntries)
      const dressed = await dressBatch(batch)
      this.warnings.push(...dressed.warnings)
      return this.answer({ batch: dressed.batch, done })
    })
    this.last = next.catch(() => undefined)
    return next
  }

  private answer({ batch, done }: { batch: EntryBatch; done: boolean }): Moved {
    const answer: ScanAnswer = { batch, done, warnings: this.takeWarnings() }
    return new Moved(answer, batchTransfer(batch))
  }

  private list(maxEntries: number): Moved {
    const answer: ListAnswer = { ...this.scanner.list(maxEntries), warnings: this.takeWarnings() }
    return new Moved(answer, listingTransfer(answer.listing))
  }

  private takeWarnings(): Warning[] {
    const { warnings } = this
    this.warnings = []
    return warnings
  }
}

export function listingTransfer({ batch, order }: Listing): ArrayBuffer[] {
  return [...batchTransfer(batch), order.buffer]
}
