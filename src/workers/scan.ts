/** Worker service 'scan': reads directories of one source, batch by batch, as fast as they are asked for. */
import { BackupError } from '../errors.ts'
import type { Warning } from '../events.ts'
import { batchTransfer, type EntryBatch } from '../model/entry-batch.ts'
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

export async function createScan({ plan, onUnreadable }: ScanInit, host: Host): Promise<Service> {
  let warnings: Warning[] = []
  const scanner = new TreeScanner(plan, {
    onUnreadable,
    warn: (warning) => warnings.push(warning),
    aborted: () => host.aborted,
    nowMs: Date.now,
  })
  return {
    call(method, args) {
      if (method !== 'next') throw new BackupError('INTERNAL', `scan has no method ${method}`, { origin: 'source' })
      const { batch, done } = scanner.next(args as number)
      const answer: ScanAnswer = { batch, done, warnings }
      warnings = []
      return new Moved(answer, batchTransfer(batch))
    },
  }
}
