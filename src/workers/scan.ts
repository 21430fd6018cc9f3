/** Worker service 'scan': reads directories of one source, batch by batch, as fast as they are asked for. */
import { BackupError } from '../errors.ts'
import type { Warning } from '../events.ts'
import { batchTransfer, type EntryBatch } from '../model/entry-batch.ts'
import { EntryLooker } from '../sources/filesystem/entry-looker.ts'
import type { Listing } from '../sources/filesystem/listing.ts'
import { TreeScanner } from '../sources/filesystem/scan.ts'
import type { ScanPlan } from '../sources/source.ts'
import { type Host, Moved, type Service } from './rpc.ts'

export interface ScanInit {
  plan: ScanPlan
  onUnreadable: 'fail' | 'skip'
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

export async function createScan({ plan, onUnreadable }: ScanInit, host: Host): Promise<Service> {
  return new ScanService(plan, onUnreadable, host)
}

class ScanService implements Service {
  private warnings: Warning[] = []
  private readonly scanner: TreeScanner
  private readonly looker: EntryLooker

  constructor(plan: ScanPlan, onUnreadable: 'fail' | 'skip', host: Host) {
    const options = {
      onUnreadable,
      warn: (warning: Warning) => this.warnings.push(warning),
      aborted: () => host.aborted,
      nowMs: Date.now,
    }
    this.scanner = new TreeScanner(plan, options)
    this.looker = new EntryLooker(plan, options)
  }

  call(method: string, args: unknown): Moved {
    if (method === 'next') return this.answer(this.scanner.next(args as number))
    if (method === 'list') return this.list(args as number)
    if (method === 'look') return this.answer({ batch: this.looker.look(args as Listing), done: false })
    throw new BackupError('INTERNAL', `scan has no method ${method}`, { origin: 'source' })
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
