/** A pin: what a repository has shown so far, as plain JSON. Kept elsewhere, it tells later whether less is shown. */
import * as z from 'zod'
import { REPOSITORY_ID_PATTERN } from './ids.ts'
import { count, hash, isoDate } from './json-record-fields.ts'

/** Objects beyond the newest snapshot: hardly ever more than a few tombstones. */
const MAX_LATER = 64

const id = z.string().min(1).max(200)

const schema = z.strictObject({
  kind: z.literal('pin'),
  version: z.literal(1),
  repositoryId: z.string().regex(REPOSITORY_ID_PATTERN),
  at: z.string().refine((text) => isoDate.safeDecode(text).success),
  config: z.strictObject({ n: z.int().min(1), hash }),
  prune: count,
  snapshot: z.strictObject({ id, hash }).nullable(),
  later: z.array(id).max(MAX_LATER),
})

/** Plain JSON, no secret. Keep it where whoever can write to the target cannot. */
export interface Pin {
  kind: 'pin'
  version: 1
  repositoryId: string
  /** When it was made: UTC, ISO 8601. */
  at: string
  /** The newest config: its number and SHA-256. */
  config: { n: number; hash: string }
  /** Number of the last prune; 0 where there was none. */
  prune: number
  /** The newest snapshot that is not dated in the future, and the SHA-256 of its object. Null where there was none. */
  snapshot: { id: string; hash: string } | null
  /** Ids beyond that one: they say nothing about what came after this pin. */
  later: string[]
}

export function isPin(value: unknown): value is Pin {
  return schema.safeParse(value).success
}

export function makePin(fields: Omit<Pin, 'kind' | 'version'>): Pin {
  return { kind: 'pin', version: 1, ...fields, later: fields.later.slice(0, MAX_LATER) }
}
