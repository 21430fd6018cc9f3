/** What one snapshot keeps of each table, so that the next can prove parts of it unchanged. */
import type { Json } from '../../../errors.ts'

export interface TableState {
  readonly oid: string
  readonly relfilenode: string
  /** See `columnPrints`. */
  readonly print: string
  /** Bounds, order and key, as text: other ones are other ranges. */
  readonly cut: string
  readonly rows: readonly number[]
  /** One for each range: names its content, and stays as long as that does. */
  readonly tokens: readonly string[]
}

export interface ServerState {
  readonly systemIdentifier: string
  readonly timeline: number
  readonly versionNum: number
  /** Of the snapshot: 64 bits as text. */
  readonly xmin: string
  readonly lsn: string
}

export interface IncrementalState extends ServerState {
  /** Incremental runs since everything was read. */
  readonly runs: number
  /** By `schema.table`, quoted. */
  readonly tables: Readonly<Record<string, TableState>>
}

export interface TrustRules {
  /** So many runs may go by before everything is read again. */
  readonly fullEvery: number
}

/** Transactions that may lie between two snapshots: far below the 2^31 after which ages turn around. */
const MAX_TRANSACTIONS = 2n ** 30n

/**
 * The previous state where it speaks of this very server and of a past of it. Else why not: everything is read then.
 * A copy of the server that went its own way has another timeline, or went fewer transactions or less far in its log.
 */
export function trusted(
  previous: IncrementalState | undefined,
  now: ServerState,
  { fullEvery }: TrustRules,
): { state: IncrementalState } | { why: string } {
  if (!previous) return { why: 'there is no earlier snapshot to compare with' }
  if (previous.systemIdentifier !== now.systemIdentifier) return { why: 'it is another server' }
  if (previous.timeline !== now.timeline) return { why: 'the server was recovered or promoted meanwhile' }
  if (previous.versionNum !== now.versionNum) return { why: 'the server was updated meanwhile' }
  const passed = BigInt(now.xmin) - BigInt(previous.xmin)
  if (passed < 0n || lsnNumber(now.lsn) < lsnNumber(previous.lsn)) return { why: 'the server went back in time' }
  if (passed > MAX_TRANSACTIONS) return { why: 'too many transactions have gone by' }
  if (previous.runs + 1 >= fullEvery) return { why: `everything is read every ${fullEvery} runs` }
  return { state: previous }
}

/** 'A/B', both hexadecimal. */
function lsnNumber(lsn: string): bigint {
  const [high = '', low = ''] = lsn.split('/')
  return (BigInt(`0x${high || '0'}`) << 32n) + BigInt(`0x${low || '0'}`)
}

/** From the facts of a snapshot; undefined where they hold none, or none that can be read. */
export function readState(json: Json | undefined): IncrementalState | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const state = json as unknown as Partial<IncrementalState>
  const texts = [state.systemIdentifier, state.xmin, state.lsn]
  const isWhole = texts.every((text) => typeof text === 'string') && typeof state.tables === 'object'
  return isWhole && Number.isInteger(state.timeline) && Number.isInteger(state.runs)
    ? (state as IncrementalState)
    : undefined
}
