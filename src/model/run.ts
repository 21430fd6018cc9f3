/** `runs/<id>`: a writer is at work. Its owner overwrites it; a counter that stands still tells that the owner is gone. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { count, isoDate, runId, text } from './json-record-fields.ts'

/** Of one run. */
export const MAX_FORGETS = 100

const schema = z.strictObject({
  id: runId,
  verb: z.string().min(1).max(64),
  startedAt: isoDate,
  host: text(256),
  pid: count,
  /** Grows with every heartbeat. Compared with itself only: no clock of another machine is trusted. */
  beat: count,
  /** Ids of snapshots that it may be about to end (verb `forget`), or whose copies in `trash/` it takes away (`prune`). */
  forgets: z.array(runId).min(1).max(MAX_FORGETS).optional(),
})

export type RunRecord = z.output<typeof schema>
export const runRecord = jsonRecord({ type: 'run', version: 1, maxBytes: 16 * 1024, schema })
