/** What every adapter checks before it touches anything: keys, prefixes, ranges, options. */
import type { z } from 'zod'
import { BackupError, type Json } from '../errors.ts'

/** S3 allows 1,024 bytes; so does every other store worth naming. */
const MAX_KEY_BYTES = 1024

function invalid(message: string, details: Record<string, Json>, hint?: string): BackupError {
  return new BackupError('INVALID_OPTIONS', message, { origin: 'usage', details, ...(hint !== undefined && { hint }) })
}

/** File systems stop there. */
const MAX_SEGMENT_BYTES = 255

/**
 * Why a path of segments cannot be (the beginning of) a key; undefined if it can. The alphabet is what the engine uses. All
 * else is where stores differ: disks that take `A` for `a` or write accents in another way, `%` and `?` in URLs, `*` in
 * patterns, names that Windows refuses.
 */
function faultOf(path: string): string | undefined {
  const strange = /[^a-z0-9._/-]/u.exec(path)
  if (strange) return `holds ${JSON.stringify(strange[0])}; only a-z, 0-9, '.', '_', '-' and '/' are allowed`
  return shapeFaultOf(path)
}

function shapeFaultOf(path: string): string | undefined {
  if (Buffer.byteLength(path) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`
  if (path.startsWith('/')) return 'is absolute'
  const segments = path.split('/')
  if (segments.some((segment) => segment === '..' || segment === '.')) return "holds a '.' or '..' segment"
  if (segments.slice(0, -1).includes('')) return 'holds an empty segment'
  const isLong = segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
  return isLong ? `holds a segment that is longer than ${MAX_SEGMENT_BYTES} bytes` : undefined
}

function keyFaultOf(key: string): string | undefined {
  return key === '' || key.endsWith('/') ? 'is empty or ends with an empty segment' : faultOf(key)
}

/**
 * Keys are relative paths: segments of a-z, 0-9, '.', '_' and '-', joined by '/'; none of them empty, '.' or '..', or longer
 * than 255 bytes; at most 1,024 bytes in all. Throws INVALID_OPTIONS.
 */
export function checkKey(key: string): void {
  if (typeof key !== 'string') throw invalid('a key must be a string', { type: typeof key })
  const fault = keyFaultOf(key)
  if (fault !== undefined) throw invalid(`the key ${JSON.stringify(key.slice(0, 200))} ${fault}`, {})
}

/** Whether `checkKey` would take it. What else lies in a store (`.DS_Store`, a README) is no object, and never listed. */
export function isKey(key: string): boolean {
  return keyFaultOf(key) === undefined
}

/** A prefix is the beginning of keys, so it may be empty or end anywhere. Throws INVALID_OPTIONS. */
export function checkPrefix(prefix: string): void {
  checkBeginning(prefix, faultOf)
}

/** Where in a bucket a repository lies is its owner's to name: as a prefix, but of any characters but control ones. */
export function checkPlace(prefix: string): void {
  checkBeginning(prefix, (path) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must not get in
    if (/[\u0000-\u001f\u007f-\u009f\\]/.test(path)) return 'holds a control character or a backslash'
    return path.isWellFormed() ? shapeFaultOf(path) : 'is not well-formed Unicode'
  })
}

function checkBeginning(prefix: string, fault: (path: string) => string | undefined): void {
  if (typeof prefix !== 'string') throw invalid('a prefix must be a string', { type: typeof prefix })
  const whole = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const found = fault(whole) ?? fault(`${prefix.slice(whole.length)}x`)
  if (found !== undefined) throw invalid(`the prefix ${JSON.stringify(prefix.slice(0, 200))} ${found}`, {})
}

/** Throws INVALID_OPTIONS for a range that no object could satisfy: not whole numbers, negative, or backwards. */
export function checkRange(range: { start: number; end: number } | undefined): void {
  if (range === undefined) return
  const { start, end } = range
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end) return
  throw invalid('a range must be two whole numbers, 0 <= start <= end', { start: String(start), end: String(end) })
}

/** The range within an object of `size` bytes; all of it by default. Throws TARGET_PROTOCOL past the end. */
export function rangeWithin(
  key: string,
  size: number,
  range: { start: number; end: number } | undefined,
): { start: number; end: number } {
  checkRange(range)
  if (range === undefined) return { start: 0, end: size }
  if (range.end <= size) return range
  throw new BackupError('TARGET_PROTOCOL', `${key} has ${size} bytes, fewer than were asked for`, {
    origin: 'target',
    details: { key, size, start: range.start, end: range.end },
    hint: 'The object was cut short or is not the one the index means; run verify.',
  })
}

/** The error for a key that is not there. */
export function notFound(key: string, details: Record<string, Json> = {}): BackupError {
  return new BackupError('TARGET_OBJECT_NOT_FOUND', `there is no object ${key}`, {
    origin: 'target',
    details: { key, ...details },
  })
}

/** Parses options with a strict schema. Throws INVALID_OPTIONS that names function, option and rule. */
export function parseOptions<T>(of: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const rules = result.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`)
  throw invalid(`${of}: ${rules.join('; ')}`, { of, rules })
}
