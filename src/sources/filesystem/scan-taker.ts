/** What becomes of something that was looked at: an entry of the batch, a warning, or nothing. */
import type { BigIntStats } from 'node:fs'
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { type EntryMeta, TYPE_FILE } from '../../model/entry.ts'
import { BatchWriter, FLAG_CONTENT, FLAG_FORCE_READ, FLAG_XATTRS } from '../../model/entry-batch.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ScanPlan } from '../source.ts'
import { targetOf } from './look.ts'
import { isRacy, metaFromStat, racyAfterNs, timeFits } from './stat.ts'

export interface ScanOptions {
  /** `path` of these is relative to the source; whoever knows the source's name puts it in front. */
  warn(warning: Warning): void
  /** What to do about a folder or file that cannot be looked at: SOURCE_DENIED, or the warning ENTRY_SKIPPED. */
  onUnreadable: 'fail' | 'skip'
  aborted(): boolean
  nowMs(): number
}

export const VISITS_PER_ABORT_CHECK = 64

export class EntryTaker {
  /** Entries that were gone between listing and stat: normal in a living tree, and no part of the snapshot. */
  vanished = 0
  protected readonly plan: ScanPlan
  protected readonly options: ScanOptions
  protected readonly writer = new BatchWriter()
  private readonly contentFlags: number
  private readonly allFlags: number
  private racyAfter = 0n

  constructor(plan: ScanPlan, options: ScanOptions) {
    this.plan = plan
    this.options = options
    this.allFlags = plan.xattrs ? FLAG_XATTRS : 0
    this.contentFlags = plan.checksum ? FLAG_CONTENT | FLAG_FORCE_READ : FLAG_CONTENT
  }

  /** Before anything of a batch is looked at. */
  protected beginBatch(): void {
    this.racyAfter = racyAfterNs(this.options.nowMs())
  }

  protected takeFile(relative: string, stat: BigIntStats): void {
    const meta = metaFromStat(relative, stat)
    const sizeBytes = meta.sizeBytes ?? 0
    const { maxFileBytes } = this.plan
    if (maxFileBytes !== null && sizeBytes > maxFileBytes) {
      const message = `${JSON.stringify(latin1ToUser(relative))} has ${sizeBytes} bytes, more than maxFileBytes`
      this.skip(relative, message, { sizeBytes, maxFileBytes })
    } else this.emit(meta, stat, meta.type === TYPE_FILE && sizeBytes > 0 ? this.contentFlags : 0)
  }

  /** A link that stays one. */
  protected takeLink(relative: string, absolute: string, stat: BigIntStats): void {
    const target = targetOf(absolute)
    if (target === undefined) {
      this.vanished++
      return
    }
    const meta = metaFromStat(relative, stat)
    meta.linkTarget = target
    this.emit(meta, stat, 0)
  }

  protected emit(meta: EntryMeta, stat: BigIntStats, flags: number): void {
    const { ctimeNs, ino, mtimeNs } = stat
    if (!timeFits(mtimeNs)) this.warnTime(meta, mtimeNs)
    const all = flags | this.allFlags
    if (isRacy(stat, this.racyAfter) || !timeFits(ctimeNs)) this.writer.add(meta, all, 0n, 0n)
    else this.writer.add(meta, all, ctimeNs, ino < 0n ? BigInt.asUintN(64, ino) : ino)
  }

  protected leaveOut(relative: string, error: unknown): void {
    if (!BackupError.is(error) || error.origin !== 'source' || this.options.onUnreadable === 'fail') throw error
    this.skip(relative, error.message, error.details)
  }

  private skip(relative: string, message: string, details: NonNullable<Warning['details']>): void {
    const path = latin1ToUser(relative)
    this.options.warn({ code: 'ENTRY_SKIPPED', message, path, details })
  }

  private warnTime({ path: latin1 }: EntryMeta, mtimeNs: bigint): void {
    const path = latin1ToUser(latin1)
    const message = `${JSON.stringify(path)} has a modification time outside 1677 to 2262, kept as the nearest`
    this.options.warn({ code: 'TIME_OUT_OF_RANGE', message, path, details: { mtimeNs: String(mtimeNs) } })
  }
}
