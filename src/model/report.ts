/** `reports/<run>`: what a run did, for history and audit. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { facts, isoDate, json, runId, text } from './json-record-fields.ts'

/** More warnings than this are counted, not kept. */
export const MAX_REPORT_WARNINGS = 1000

const warning = z.strictObject({
  code: z.string().min(1).max(64),
  message: text(4096),
  path: z.exactOptional(text(65_536)),
  details: z.exactOptional(facts),
})

const schema = z.strictObject({
  runId,
  verb: z.string().min(1).max(64),
  status: z.enum(['ok', 'failed', 'aborted']),
  startedAt: isoDate,
  endedAt: isoDate,
  durationMs: z.number().min(0),
  host: text(256),
  actor: z.exactOptional(text(256)),
  schedule: z.exactOptional(text(128)),
  snapshot: z.exactOptional(runId),
  counts: z.record(z.string().max(64), z.number()),
  /** The call's options without secrets. */
  options: json,
  warnings: z.array(warning).max(MAX_REPORT_WARNINGS),
  error: z.exactOptional(
    z.strictObject({
      code: z.string().min(1).max(64),
      origin: z.string().min(1).max(64),
      message: text(4096),
      retryable: z.boolean(),
    }),
  ),
})

export type ReportRecord = z.output<typeof schema>
export const reportRecord = jsonRecord({ type: 'report', version: 1, maxBytes: 4 * 1024 * 1024, schema })
