/**
 * 32 secret bytes as a text to be printed and typed in again: 14 groups of five characters, base32 without letters that
 * look alike. The last character of each group checks the group and its place, and the last group checks the whole.
 */
import { sha256Of } from './aead.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const DATA_CHARS = 4
const GROUP_CHARS = DATA_CHARS + 1
const DATA_GROUPS = 13
/** The last one holds 20 bits of a hash over the key. */
const GROUPS = DATA_GROUPS + 1
const KEY_BYTES = 32
const DOMAIN = new TextEncoder().encode('holdfast/1/recovery-key')

/** What is wrong with a typed key. Groups count from 1; none of them is the text itself. */
export type RecoveryKeyFault =
  | { readonly groups: readonly number[] }
  /** That many groups of five were found. */
  | { readonly found: number }
  | { readonly whole: true }

/** `ABCD1 …`: 14 groups, a blank between two. */
export function encodeRecoveryKey(bytes: Uint8Array): string {
  const digits = [...toDigits(bytes), ...checkDigits(bytes)]
  const groups = Array.from({ length: GROUPS }, (_, i) => digits.slice(i * DATA_CHARS, (i + 1) * DATA_CHARS))
  return groups.map((group, i) => [...group, checkOf(group, i)].map((digit) => ALPHABET[digit]).join('')).join(' ')
}

/** Blanks, hyphens and case do not matter; O is read as 0, I and L as 1. */
export function decodeRecoveryKey(text: string): Uint8Array | RecoveryKeyFault {
  const groups = groupsOf(text.toUpperCase())
  if (groups.length !== GROUPS) return { found: groups.length }
  const digits = groups.map((group) => [...group].map(digitOf))
  const wrong = digits.flatMap((group, i) => (isSound(group, i) ? [] : [i + 1]))
  if (wrong.length > 0) return { groups: wrong }
  const bytes = fromDigits(digits.slice(0, DATA_GROUPS).flatMap((group) => group.slice(0, DATA_CHARS)))
  const isWhole = bytes !== undefined && checkDigits(bytes).every((digit, i) => digit === digits[DATA_GROUPS]![i])
  return isWhole ? bytes : { whole: true }
}

/** As they were typed, so that one with a letter too few can be named; or five by five, where the blanks are elsewhere. */
function groupsOf(text: string): string[] {
  const typed = text.split(/[^0-9A-Z]+/).filter((group) => group !== '')
  if (typed.length === GROUPS) return typed
  return typed.join('').match(new RegExp(`.{1,${GROUP_CHARS}}`, 'g')) ?? []
}

function digitOf(char: string): number {
  return ALPHABET.indexOf(char === 'O' ? '0' : char === 'I' || char === 'L' ? '1' : char)
}

function isSound(group: readonly number[], place: number): boolean {
  if (group.length !== GROUP_CHARS || group.includes(-1)) return false
  return checkOf(group.slice(0, DATA_CHARS), place) === group[DATA_CHARS]
}

/** Over the field of 32 elements: any one wrong character shows, and so do two neighbours or two groups that are swapped. */
function checkOf(group: readonly number[], place: number): number {
  let check = 1
  for (const digit of group) check = double(check ^ digit)
  return check ^ place
}

/** Times x, modulo x^5 + x^2 + 1. */
function double(element: number): number {
  return ((element << 1) ^ (element & 16 ? 37 : 0)) & 31
}

/** 52 digits for 256 bits; the last four bits are 0. */
function toDigits(bytes: Uint8Array): number[] {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const padded = bits.padEnd(DATA_GROUPS * DATA_CHARS * 5, '0')
  return padded.match(/.{5}/g)!.map((five) => Number.parseInt(five, 2))
}

function fromDigits(digits: readonly number[]): Uint8Array | undefined {
  const bits = digits.map((digit) => digit.toString(2).padStart(5, '0')).join('')
  if (bits.slice(KEY_BYTES * 8).includes('1')) return undefined
  return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2))
}

function checkDigits(bytes: Uint8Array): number[] {
  const [a, b, c] = sha256Of(DOMAIN, bytes) as unknown as [number, number, number]
  const bits = (a << 12) | (b << 4) | (c >> 4)
  return [15, 10, 5, 0].map((shift) => (bits >> shift) & 31)
}
