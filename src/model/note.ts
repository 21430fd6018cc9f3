/** `notes/<snapshot>/<n>`: what may change about a snapshot. Each holds the whole state; the highest number wins. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { isoDate, runId, text } from './json-record-fields.ts'

const tag = z.string().min(1).max(128)

const hold = z.strictObject({
  reason: z.string().min(1).max(1024),
  author: z.exactOptional(text(256)),
  /** After this time it holds no more. Absent: until it is removed. */
  expires: z.exactOptional(isoDate),
})

const schema = z.strictObject({
  snapshot: runId,
  at: isoDate,
  actor: z.exactOptional(text(256)),
  /** Takes the place of the snapshot's own; '' takes it away. */
  name: z.exactOptional(text(256)),
  description: z.exactOptional(text(4096)),
  addTags: z.array(tag).max(64),
  removeTags: z.array(tag).max(64),
  holds: z.array(hold).max(64),
  lastVerified: z.exactOptional(
    z.strictObject({ at: isoDate, level: z.enum(['structure', 'data', 'content']), sound: z.boolean() }),
  ),
})

export type Note = z.output<typeof schema>
export type HoldRecord = Note['holds'][number]
export const noteRecord = jsonRecord({ type: 'note', version: 1, maxBytes: 128 * 1024, schema })
