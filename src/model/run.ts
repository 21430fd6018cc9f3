/** `runs/<id>`: a writer is at work. Its owner overwrites it; a counter that stands still tells that the owner is gone. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { count, isoDate, runId, text } from './json-record-fields.ts'

const schema = z.strictObject({
  id: runId,
  verb: z.string().min(1).max(64),
  startedAt: isoDate,
  host: text(256),
  pid: count,
  /** Grows with every heartbeat. Compared with itself only: no clock of another machine is trusted. */
  beat: count,
})

export type RunRecord = z.output<typeof schema>
export const runRecord = jsonRecord({ type: 'run', version: 1, maxBytes: 4096, schema })
