/** Ids and names as they stand in object keys. */

/** Generated ones are a UTC time and random letters, so they sort by time. A caller's may be any visible ASCII characters. */
export const RUN_ID_PATTERN = /^(?:[a-z0-9][a-z0-9._-]{0,127}|[\x21-\x7e]{1,64})$/
/** Ids that stand in keys as they are. */
const PLAIN_ID_PATTERN = /^[a-z0-9][a-z0-9._-]{0,127}$/
const ESCAPED_ID_PATTERN = /^_(?:[a-z0-9.-]|_[2-7][0-9a-f])+$/
/** SHA-256 of a pack, or 32 random bytes of a fragment. */
export const OBJECT_NAME_PATTERN = /^[0-9a-f]{64}$/
/** 16 random bytes. */
export const REPOSITORY_ID_PATTERN = /^[0-9a-f]{32}$/
/** Key slots: 16 random bytes. */
export const SLOT_ID_PATTERN = /^[0-9a-f]{32}$/
/** Kinds and names of `state/` objects. */
export const STATE_NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,127}$/

/** Largest number of a numbered object (`config/<n>`, `gc/<n>`, `notes/…/<n>`). */
export const MAX_NUMBER = 99_999_999
const NUMBER_PATTERN = /^[0-9]{8}$/

export function isRunId(text: string): boolean {
  return RUN_ID_PATTERN.test(text)
}

/**
 * An id as a segment of a key, for which a store may have lower case only. One that is no plain id gets a '_' in front, and each
 * character but a-z, 0-9, '.' and '-' becomes '_' and its code in two hex digits.
 */
export function segmentOfId(id: string): string {
  if (PLAIN_ID_PATTERN.test(id)) return id
  return `_${id.replace(/[^a-z0-9.-]/g, (sign) => `_${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)}`
}

/** Undefined for what no id is written as. */
export function idOfSegment(segment: string): string | undefined {
  if (PLAIN_ID_PATTERN.test(segment)) return segment
  if (!ESCAPED_ID_PATTERN.test(segment)) return undefined
  const id = segment.slice(1).replace(/_(..)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return isRunId(id) && segmentOfId(id) === segment ? id : undefined
}

export function isObjectName(text: string): boolean {
  return OBJECT_NAME_PATTERN.test(text)
}

/** Eight digits, so that numbered keys sort by number. */
export function formatNumber(n: number): string {
  if (!Number.isInteger(n) || n < 1 || n > MAX_NUMBER) throw new RangeError(`${n} cannot number an object`)
  return String(n).padStart(8, '0')
}

/** The number of a numbered key's last segment; undefined where it is none. */
export function parseNumber(text: string): number | undefined {
  if (!NUMBER_PATTERN.test(text)) return undefined
  const n = Number(text)
  return n === 0 ? undefined : n
}

const ID_TIME = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)(\d{3})-/

/** When a generated id of a run or snapshot was drawn, in ms since 1970; undefined for an id of another make. */
export function timeOfId(id: string): number | undefined {
  const parts = ID_TIME.exec(id)
  if (parts === null) return undefined
  const [, year, month, day, hours, minutes, seconds, ms] = parts
  const time = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}.${ms}Z`)
  return Number.isNaN(time) ? undefined : time
}
