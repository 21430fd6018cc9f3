/** Which call of a target fails, and how: the plan of a `faultyTarget`. */
import { BackupError, type ErrorCode, type Json } from '../errors.ts'

export type TargetOperation = 'put' | 'get' | 'list' | 'stat' | 'delete'

/** Faults that are an error in place of the call: nothing happens. `details.status` is what an HTTP store would answer. */
const ERRORS = {
  error: { code: 'TARGET_UNREACHABLE', retryable: true, why: 'it failed as planned' },
  unavailable: { code: 'TARGET_UNREACHABLE', retryable: true, why: 'the service is unavailable', status: 503 },
  'slow-down': { code: 'TARGET_THROTTLED', retryable: true, why: 'the store asks for fewer requests', status: 503 },
  expired: { code: 'TARGET_AUTH', retryable: false, why: 'the credentials have expired', status: 403 },
  denied: { code: 'TARGET_DENIED', retryable: false, why: 'it is not allowed', status: 403 },
  full: { code: 'TARGET_FULL', retryable: false, why: 'there is no room left', status: 507 },
} as const satisfies Record<string, { code: ErrorCode; retryable: boolean; why: string; status?: number }>

export type ErrorFault = keyof typeof ERRORS

/** Faults of what happens, or of what is told of it. */
export type OutcomeFault = 'delay' | 'truncate' | 'corrupt' | 'lost-reply' | 'late' | 'duplicate' | 'stale'

export interface PlannedFault {
  operation: TargetOperation
  /**
   * Nothing happens:
   * - `error`: TARGET_UNREACHABLE, retryable. `unavailable`: the same, as an answer 503.
   * - `slow-down`: TARGET_THROTTLED, retryable. `expired`: TARGET_AUTH. `denied`: TARGET_DENIED. `full`: TARGET_FULL.
   *
   * It happens, but:
   * - `delay`: later, by `delayMs`, or by 20 turns of the event loop.
   * - `truncate`: success is reported for a half: half a body is kept by put or given by get, half the keys are listed
   *   or deleted, half the size is told.
   * - `corrupt`: one bit of the body that is kept by put, or given by get, is another. Only for these two.
   * - `lost-reply`: it rejects with TARGET_UNREACHABLE, retryable. A list breaks off half way.
   * - `late`: it rejects as `lost-reply` does, at once; and is applied long after, by `applyLate()`. For put and delete.
   * - `duplicate`: every second row is listed twice. Only for list.
   * - `stale`: the listing is that of `changes` changes ago, made through this target. Only for list.
   */
  fault: ErrorFault | OutcomeFault
  /** Strikes the nth call that fits, from 1, once. Either this or `rate`. */
  nth?: number
  /** Strikes calls that fit by chance, 0 to 1; the same ones for the same `seed`. 1: each of them. */
  rate?: number
  /** For `rate`. Default 1. */
  seed?: number
  /** Only calls for keys (prefixes of a list, the first key of a delete) that begin so, or match. Default: all. */
  keys?: string | RegExp
  /** Of `delay`, in milliseconds of real time. */
  delayMs?: number
  /** Of `stale`: how many of the newest puts and deletions it does not show. Default 1. */
  changes?: number
  /** For a fault that is an error, other than its own. */
  error?: { code?: ErrorCode; retryable?: boolean; details?: Readonly<Record<string, Json>> }
}

/** A fault that struck. */
export interface FaultHit {
  readonly operation: TargetOperation
  readonly key: string
  readonly fault: PlannedFault['fault']
}

const ONLY_FOR: Partial<Record<PlannedFault['fault'], readonly TargetOperation[]>> = {
  corrupt: ['put', 'get'],
  late: ['put', 'delete'],
  duplicate: ['list'],
  stale: ['list'],
}

interface Entry {
  readonly planned: PlannedFault
  readonly random: () => number
  calls: number
  hits: number
}

/** Says of each call what strikes it. A fault by number goes before one by chance. */
export class FaultPlan {
  readonly hits: FaultHit[] = []
  readonly #entries: readonly Entry[]

  constructor(plan: readonly PlannedFault[]) {
    for (const planned of plan) check(planned)
    const entries = plan.map((planned) => ({ planned, random: seeded(planned.seed ?? 1), calls: 0, hits: 0 }))
    this.#entries = entries.sort((a, b) => Number(a.planned.nth === undefined) - Number(b.planned.nth === undefined))
  }

  has(fault: PlannedFault['fault']): boolean {
    return this.#entries.some(({ planned }) => planned.fault === fault)
  }

  next(operation: TargetOperation, key: string): PlannedFault | undefined {
    const fitting = this.#entries.filter(({ planned }) => fits(planned, operation, key))
    const struck = fitting.filter((entry) => strikes(entry))[0]
    if (struck === undefined) return undefined
    struck.hits++
    this.hits.push({ operation, key, fault: struck.planned.fault })
    return struck.planned
  }

  missed(): string[] {
    return this.#entries.filter(({ hits }) => hits === 0).map(({ planned }) => describePlanned(planned))
  }
}

/** Counts the call and draws for it, whether another fault is before it or not: so `seed` alone says which calls. */
function strikes(entry: Entry): boolean {
  entry.calls++
  const { nth, rate } = entry.planned
  return nth === undefined ? entry.random() < (rate ?? 0) : entry.calls === nth
}

function fits({ operation, keys = '' }: PlannedFault, of: TargetOperation, key: string): boolean {
  return operation === of && (typeof keys === 'string' ? key.startsWith(keys) : new RegExp(keys).test(key))
}

function describePlanned({ fault, operation, nth, rate, keys }: PlannedFault): string {
  const where = keys === undefined ? '' : ` for ${String(keys)}`
  return `${fault} of ${operation} ${nth ?? `at rate ${rate}`}${where}`
}

function check(planned: PlannedFault): void {
  const { operation, fault, nth, rate } = planned
  const of = describePlanned(planned)
  if ((nth === undefined) === (rate === undefined)) throw invalid(`${of}: give either nth or rate`)
  if (nth !== undefined && !(Number.isInteger(nth) && nth >= 1)) throw invalid(`${of}: nth counts from 1`)
  if (rate !== undefined && !(rate >= 0 && rate <= 1)) throw invalid(`${of}: rate is a number from 0 to 1`)
  if (!(ONLY_FOR[fault]?.includes(operation) ?? true)) throw invalid(`${of}: there is no such fault of this operation`)
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `faultyTarget: ${message}`, { origin: 'usage' })
}

/** The error in place of the call; undefined for a fault of another kind. */
export function plannedError(planned: PlannedFault, operation: TargetOperation, key: string): BackupError | undefined {
  if (!(planned.fault in ERRORS)) return undefined
  const { code, retryable, why, ...status } = ERRORS[planned.fault as ErrorFault]
  const { error = {} } = planned
  return new BackupError(error.code ?? code, `${operation} of ${key}: ${why}`, {
    origin: 'target',
    retryable: error.retryable ?? retryable,
    details: { operation, key, ...status, ...error.details },
  })
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
