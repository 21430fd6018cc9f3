/** `gc/<n>` and `gc/<n>.done`: a prune's candidates, and its outcome with every pack that is dead for good. */
import * as z from 'zod'
import { jsonRecord } from './json-record.ts'
import { isoDate, packNames, runId } from './json-record-fields.ts'

const n = z.int().min(1)
/** 43 bytes a pack: 1.4 million packs, or 23 TB of them. */
const MAX_GC_BYTES = 60 * 1024 * 1024

const candidatesSchema = z.strictObject({
  n,
  /** The prune that owns it. */
  run: runId,
  at: isoDate,
  /** Nobody may reuse what these hold while this prune is open. */
  packs: packNames,
})
const doneSchema = z.strictObject({
  n,
  /** done: the candidates left in `dead` are dead. void: given up. stub: the list has moved to a later number. */
  outcome: z.enum(['done', 'void', 'stub']),
  run: runId,
  at: isoDate,
  /** Every dead pack since the repository was made. Empty in a stub. */
  dead: packNames,
})

export type GcCandidates = z.output<typeof candidatesSchema>
export type GcDone = z.output<typeof doneSchema>
export const gcCandidatesRecord = jsonRecord({
  type: 'gc',
  version: 1,
  maxBytes: MAX_GC_BYTES,
  schema: candidatesSchema,
})
export const gcDoneRecord = jsonRecord({ type: 'gc-done', version: 1, maxBytes: MAX_GC_BYTES, schema: doneSchema })
