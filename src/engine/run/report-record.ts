/** Reports as they are kept and as users see them. */
import type { ErrorCode, ErrorOrigin } from '../../errors.ts'
import type { Report, ReportedVerb } from '../../events.ts'
import type { ReportRecord } from '../../model/report.ts'

/** Only reports of ended runs are kept. */
export function toRecord(report: Report): ReportRecord {
  const { status, endedAt = report.startedAt, durationMs = 0, warnings, counts, ...rest } = report
  return {
    ...rest,
    status: status === 'running' ? 'aborted' : status,
    endedAt,
    durationMs,
    counts: { ...counts },
    warnings: warnings.map((warning) => ({ ...warning })) as ReportRecord['warnings'],
  }
}

export function fromRecord(record: ReportRecord): Report {
  const { error, verb, ...rest } = record
  return {
    ...rest,
    verb: verb as ReportedVerb,
    ...(error && { error: { ...error, code: error.code as ErrorCode, origin: error.origin as ErrorOrigin } }),
  }
}
