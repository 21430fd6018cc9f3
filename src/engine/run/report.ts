/** What is kept of a run when it is over. */
import type { BackupError, Json } from '../../errors.ts'
import type { Report, Verb, Warning } from '../../events.ts'

/** What a verb adds to the report of its run. */
export interface RunSummary {
  /** Id of the snapshot that the run made, or read. */
  snapshot?: string
  counts?: Readonly<Record<string, number>>
}

export interface ReportParts {
  runId: string
  verb: Verb
  actor: string | undefined
  host: string
  options: Json
  startedAt: Date
  endedAt: Date
  durationMs: number
  warnings: readonly Warning[]
  error: BackupError | undefined
  summary: RunSummary
}

export function buildReport(parts: ReportParts): Report {
  const { runId, verb, host, startedAt, endedAt, durationMs, options, warnings, error, summary } = parts
  return {
    runId,
    verb,
    status: statusOf(error),
    startedAt,
    endedAt,
    durationMs,
    ...(parts.actor === undefined ? {} : { actor: parts.actor }),
    host,
    ...(summary.snapshot === undefined ? {} : { snapshot: summary.snapshot }),
    counts: { ...summary.counts },
    options,
    warnings: warnings.map((warning) => ({ ...warning, message: cut(warning.message) })),
    ...(error === undefined ? {} : { error: errorFacts(error) }),
  }
}

/** What a report can hold; messages of plugins may be longer. */
const MAX_MESSAGE = 4096

function cut(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`
}

/** A time limit is a failure; only what somebody stopped on purpose is 'aborted'. */
function statusOf(error: BackupError | undefined): Report['status'] {
  if (error === undefined) return 'ok'
  return error.code === 'ABORTED' ? 'aborted' : 'failed'
}

function errorFacts(error: BackupError): NonNullable<Report['error']> {
  return { code: error.code, origin: error.origin, message: cut(error.message), retryable: error.retryable }
}

/**
 * Options of a call as plain data for its report. Objects with behaviour (sources, sinks, targets) become their name, and
 * what belongs to the call alone (signal, callback, ids) is left out, so no secret inside a plugin can get there.
 */
export function describeOptions(options: object): Json {
  const facts: Record<string, Json> = {}
  for (const [name, value] of Object.entries(options)) {
    if (!CALL_ONLY.has(name) && value !== undefined) facts[name] = describe(value)
  }
  return facts
}

const CALL_ONLY = new Set(['signal', 'onProgress', 'runId', 'actor'])

function describe(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (Array.isArray(value)) return value.map(describe)
  if (typeof value !== 'object') return typeof value
  if ('apiVersion' in value) return 'name' in value ? String(value.name) : 'plugin'
  return isPlain(value) ? describeOptions(value) : 'object'
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
