import { BackupError, type BackupErrorOptions, type ErrorCode, type ErrorOrigin, type Json } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'

/** An error as plain data, for the way between threads. */
export interface WireError {
  code: ErrorCode
  origin: ErrorOrigin
  message: string
  retryable: boolean
  details: Readonly<Record<string, Json>>
  hint?: string
  cause?: string
}

/** Anything thrown, as plain data. What is no BackupError becomes INTERNAL with its stack in the details. */
export function toWire(thrown: unknown): WireError {
  if (BackupError.is(thrown)) return known(thrown)
  if (thrown instanceof Error && thrown.name === 'AbortError') return known(abortError(thrown))
  return unknown(thrown)
}

/** The error again, as an object to throw. Its cause keeps the message only. */
export function fromWire(wire: WireError): BackupError {
  const options: BackupErrorOptions = { origin: wire.origin, retryable: wire.retryable, details: wire.details }
  if (wire.hint !== undefined) options.hint = wire.hint
  if (wire.cause !== undefined) options.cause = new Error(wire.cause)
  return new BackupError(wire.code, wire.message, options)
}

function known(error: BackupError): WireError {
  const cause = causeText(error.cause)
  return {
    code: error.code,
    origin: error.origin,
    message: error.message,
    retryable: error.retryable,
    details: plain(error.details),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(cause === undefined ? {} : { cause }),
  }
}

function unknown(thrown: unknown): WireError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const details: Record<string, Json> = { name: error.name, stack: error.stack ?? '' }
  if ('code' in error && typeof error.code === 'string') details.systemCode = error.code
  const cause = causeText(error.cause)
  const wire: WireError = { code: 'INTERNAL', origin: 'repository', message: error.message, retryable: false, details }
  if (cause !== undefined) wire.cause = cause
  return wire
}

function causeText(cause: unknown): string | undefined {
  if (cause === undefined) return undefined
  return cause instanceof Error ? cause.message : String(cause)
}

/** Details come from adapters too, so they may hold what JSON and structured clone refuse. */
function plain(details: unknown): Record<string, Json> {
  try {
    const text = JSON.stringify(details, (_key, value) => (typeof value === 'bigint' ? value.toString() : value))
    return JSON.parse(text) as Record<string, Json>
  } catch {
    return {}
  }
}
