/** Ids and names as they stand in object keys. */

/** Runs and the snapshots they make share an id. Generated ones are a UTC time and random letters, so they sort by time. */
export const RUN_ID_PATTERN = /^[a-z0-9][a-z0-9._-]{0,127}$/
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
