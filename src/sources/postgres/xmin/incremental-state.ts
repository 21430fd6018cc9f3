/** What one snapshot keeps of each table, so that the next can prove parts of it unchanged. */
import { z } from 'zod'
import type { Json } from '../../../errors.ts'

const count = z.number().nonnegative()

const tableState = z.object({
  oid: z.string(),
  relfilenode: z.string(),
  /** See `columnPrints`. */
  print: z.string(),
  /** Bounds, order and key, as text: other ones are other ranges. */
  cut: z.string(),
  /** For each range: what names its content and stays as long as that does, its rows, its bytes. */
  ranges: z.array(z.tuple([z.string(), count, count])).readonly(),
})

const serverState = z.object({
  systemIdentifier: z.string(),
  timeline: z.number(),
  versionNum: z.number(),
  /** When the server was started, in seconds with six decimals, as text. */
  startedAt: z.string(),
  /** Of the snapshot: 64 bits as text. */
  xmin: z.string().regex(/^\d+$/),
  /** Up to here the log was written when the snapshot was taken: all that it saw lies before. */
  lsn: z.string().regex(/^[0-9A-F]+\/[0-9A-F]+$/),
})

const incrementalState = serverState.extend({
  /** Incremental runs since everything was read. */
  runs: z.int().nonnegative(),
  /** By path of the table below the database. */
  tables: z.record(z.string(), tableState),
})

export type TableState = Readonly<z.output<typeof tableState>>
export type ServerState = Readonly<z.output<typeof serverState>>
export type IncrementalState = Readonly<z.output<typeof incrementalState>>

/** Transactions that may lie between two snapshots: far below the 2^31 after which ages turn around. */
const MAX_TRANSACTIONS = 2n ** 30n

/**
 * Why a previous state says nothing about this server; undefined where it does. A copy of the server that went its own way
 * has another timeline, or has used fewer transactions, or is less far in its log. A disk that was put back shows none of these
 * once the server has caught up with itself, and ids of transactions are used a second time; yet the server was started on it.
 */
export function distrust(
  previous: IncrementalState | undefined,
  now: ServerState,
  fullEvery: number,
): string | undefined {
  if (!previous) return 'there is no earlier snapshot to compare with'
  if (previous.systemIdentifier !== now.systemIdentifier) return 'it is another server'
  if (previous.timeline !== now.timeline) return 'the server was recovered or promoted meanwhile'
  if (previous.versionNum !== now.versionNum) return 'the server was updated meanwhile'
  if (previous.startedAt !== now.startedAt) return 'the server was started again, maybe with older files'
  const passed = BigInt(now.xmin) - BigInt(previous.xmin)
  if (passed < 0n || lsnNumber(now.lsn) < lsnNumber(previous.lsn)) return 'the server went back in time'
  if (passed > MAX_TRANSACTIONS) return 'too many transactions have gone by'
  return previous.runs + 1 >= fullEvery ? `everything is read every ${fullEvery} runs` : undefined
}

/** 'A/B', both hexadecimal. */
export function lsnNumber(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

/** From the facts of a snapshot; undefined where they hold none, or one of another shape. */
export function readIncrementalState(json: Json | undefined): IncrementalState | undefined {
  const parsed = incrementalState.safeParse(json)
  return parsed.success ? parsed.data : undefined
}
