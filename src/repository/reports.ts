/** The history: one report for every run that ended. */
import { BackupError } from '../errors.ts'
import { corrupt } from '../model/json-record.ts'
import { type ReportRecord, reportRecord } from '../model/report.ts'
import type { CallSignal } from '../targets/target.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { PREFIX, parseKey, reportKey } from './keys-layout.ts'
import type { Records } from './records.ts'
import { type DamagedObject, RecordListing } from './records-listing.ts'

export interface ReportListing {
  /** By start, newest first. */
  readonly reports: readonly ReportRecord[]
  readonly damaged: readonly DamagedObject[]
}

export class Reports {
  readonly #records: Records
  readonly #near: ObjectCache
  readonly #listing: RecordListing<ReportRecord>

  /** Without `near` every object is read from the target. */
  constructor(records: Records, near: ObjectCache = NO_CACHE) {
    this.#records = records
    this.#near = near
    this.#listing = new RecordListing(records, PREFIX.reports, (key, stored) => decode(records, key, stored), near)
  }

  /** Stored once; RUN_EXISTS if another run of that id has left one. */
  async write(report: ReportRecord, options: CallSignal = {}): Promise<void> {
    const key = reportKey(report.runId)
    const sealed = this.#records.seal('control', key, reportRecord.encode(report))
    if ((await this.#records.create(key, sealed, options)) !== 'exists') {
      return await this.#near.put({ key, bytes: sealed.byteLength }, sealed)
    }
    throw new BackupError('RUN_EXISTS', `there is a report of a run ${report.runId} already`, {
      origin: 'usage',
      details: { runId: report.runId },
      hint: 'Give every run an id of its own, or none.',
    })
  }

  /** RUN_NOT_FOUND where there is none. */
  async get(runId: string, options: CallSignal = {}): Promise<ReportRecord> {
    const key = reportKey(runId)
    const stored = parseKey(key)?.area === 'reports' ? await this.#records.find(key, options) : undefined
    if (stored !== undefined) return decode(this.#records, key, stored)
    throw new BackupError('RUN_NOT_FOUND', `there is no report of a run ${runId}`, {
      origin: 'usage',
      details: { runId },
    })
  }

  /** All of them. Objects that cannot be read are in `damaged`. */
  async list(options: CallSignal = {}): Promise<ReportListing> {
    const select = (keys: readonly string[]): string[] => keys.filter((key) => parseKey(key)?.area === 'reports')
    const { items, damaged } = await this.#listing.list({ ...options, select })
    const reports = [...items.values()].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
    return { reports, damaged }
  }
}

function decode(records: Records, key: string, stored: Uint8Array): ReportRecord {
  const report = reportRecord.decode(records.open('control', key, stored, reportRecord.maxBytes), key)
  if (reportKey(report.runId) !== key) throw corrupt(key, `it is about ${report.runId}`)
  return report
}
