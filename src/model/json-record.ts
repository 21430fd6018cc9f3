/**
 * Stored records are JSON objects `{"type": …, "version": …, …fields}` in UTF-8, checked strictly both ways: nothing is
 * written that could not be read back, and nothing unknown is read over silently. A record of a newer version is
 * unsupported, never corrupt.
 */
import * as z from 'zod'
import { BackupError } from '../errors.ts'

export interface JsonRecord<T> {
  readonly type: string
  /** Largest encoding, in bytes; checked before anything is parsed. */
  readonly maxBytes: number
  /** INVALID_OPTIONS for values out of bounds, LIMIT_EXCEEDED where all of it is more than `maxBytes`. */
  encode(value: T): Uint8Array<ArrayBuffer>
  /** `key` is named in errors. OBJECT_CORRUPT when damaged, FORMAT_UNSUPPORTED when newer. */
  decode(bytes: Uint8Array, key?: string): T
  /** The second half of `decode`, for records that share a key with another type. */
  fromObject(object: RawRecord, key?: string): T
}

/** A parsed object of which only type and version are known. */
export interface RawRecord {
  readonly type: string
  readonly version: number
  readonly fields: Readonly<Record<string, unknown>>
}

export interface JsonRecordOptions<S extends z.ZodType> {
  type: string
  /** The newest version this code reads and the one it writes. */
  version: number
  maxBytes: number
  schema: S
}

const encoder = new TextEncoder()

export function jsonRecord<S extends z.ZodType>(options: JsonRecordOptions<S>): JsonRecord<z.output<S>> {
  const { type, version, maxBytes, schema } = options
  const fromObject = (raw: RawRecord, key?: string): z.output<S> => {
    if (raw.type !== type) throw corrupt(key, `it is a record of type '${raw.type.slice(0, 32)}', not '${type}'`)
    if (raw.version > version) throw unsupported(key, `${type} version ${raw.version}`)
    return check(schema, raw.fields, key)
  }
  return {
    type,
    maxBytes,
    encode: (value) => encodeRecord(options, value),
    decode: (bytes, key) => fromObject(parseRecord(bytes, maxBytes, key), key),
    fromObject,
  }
}

/** First half of decoding: the bytes as an object with a type and a version. */
export function parseRecord(bytes: Uint8Array, maxBytes: number, key?: string): RawRecord {
  if (bytes.length > maxBytes) throw corrupt(key, `it has ${bytes.length} bytes where at most ${maxBytes} are allowed`)
  const { type, version, ...fields } = parseObject(bytes, key)
  if (typeof type !== 'string' || !Number.isSafeInteger(version) || (version as number) < 1) {
    throw corrupt(key, 'it has no type or version')
  }
  return { type, version: version as number, fields }
}

/** Strict UTF-8, strict JSON, an object at the top. */
export function parseObject(bytes: Uint8Array, key?: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw corrupt(key, 'it is not JSON', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt(key, 'it is not an object')
  return value as Record<string, unknown>
}

/** Parses by a schema; OBJECT_CORRUPT names the first field that is wrong. */
export function check<S extends z.ZodType>(schema: S, value: unknown, key?: string): z.output<S> {
  const result = safely(() => z.safeDecode(schema, value as z.input<S>))
  if (result?.success) return result.data
  throw corrupt(key, result === undefined ? 'it is nested too deeply' : firstIssue(result.error))
}

/** The stored form of a value by a schema; INVALID_OPTIONS names the first field that is out of bounds. */
export function encodeFields<S extends z.ZodType>(schema: S, value: z.output<S>, type: string): z.input<S> {
  const result = safely(() => z.safeEncode(schema, value))
  if (result?.success) return result.data
  const why = result === undefined ? 'it is nested too deeply' : firstIssue(result.error)
  throw new BackupError('INVALID_OPTIONS', `this ${type} cannot be stored: ${why}`, { origin: 'usage' })
}

export function corrupt(key: string | undefined, why: string, cause?: unknown): BackupError {
  return new BackupError('OBJECT_CORRUPT', `${key ?? 'an object'} is damaged: ${why}`, {
    origin: 'repository',
    details: key === undefined ? {} : { key },
    hint: 'Run verify to learn what it affects, and restore the object from a copy of the repository if there is one.',
    cause,
  })
}

export function unsupported(key: string | undefined, what: string): BackupError {
  return new BackupError('FORMAT_UNSUPPORTED', `${key ?? 'an object'} needs ${what}, which this version cannot read`, {
    origin: 'repository',
    details: key === undefined ? { needs: what } : { key, needs: what },
    hint: 'Use a newer version of holdfast.',
  })
}

function encodeRecord<S extends z.ZodType>(options: JsonRecordOptions<S>, value: z.output<S>): Uint8Array<ArrayBuffer> {
  const { type, version, maxBytes, schema } = options
  const fields = encodeFields(schema, value, type) as object
  const bytes = encoder.encode(JSON.stringify({ type, version, ...fields }))
  if (bytes.length <= maxBytes) return bytes
  throw new BackupError('LIMIT_EXCEEDED', `this ${type} takes ${bytes.length} bytes; at most ${maxBytes} are stored`, {
    origin: 'usage',
    details: { type, bytes: bytes.length, maxBytes },
  })
}

/** Undefined where the value is nested deeper than the stack allows. */
function safely<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'it does not fit'
  const path = issue.path.map(String).join('.')
  return `${path === '' ? 'it' : path.slice(0, 100)}: ${issue.message.slice(0, 200)}`
}
