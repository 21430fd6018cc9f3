/** Field types that several stored records share. */
import * as z from 'zod'
import type { Json } from '../errors.ts'
import { RUN_ID_PATTERN } from './ids.ts'

/** Whole, from 0, exact as a number. */
export const count = z.int().min(0)

/** UTC to the millisecond. */
export const isoDate = z.codec(z.iso.datetime({ precision: 3 }), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

/** SHA-256 in lower-case hex. */
export const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** 32 bytes in base64url without padding, canonical: its last character has two unused bits, which are zero. */
export const chunkId = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/)

export const runId = z.string().regex(RUN_ID_PATTERN)

/** Counted in UTF-16 units, as JavaScript does. */
export const text = (max: number) => z.string().max(max)

/** Open facts: any JSON object. Its size is limited by the record that holds it. */
export const facts = z.custom<Readonly<Record<string, Json>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected an object',
)

/** Any JSON value. */
export const json = z.custom<Json>((value) => value !== undefined && typeof value !== 'function', 'expected JSON')

const NAME_BYTES = 32

/**
 * Pack names: stored as base64 of 32 bytes each, ascending and distinct; in memory as lower-case hex. Half the size of
 * a list of texts, and no check per name by the schema: a dead list may hold a million.
 */
export const packNames = z.codec(z.base64(), z.array(z.string()), {
  decode: (encoded, context) => {
    const bytes = Buffer.from(encoded, 'base64')
    const names = unpackNames(bytes)
    if (names === undefined || bytes.toString('base64') !== encoded) {
      context.issues.push({ code: 'custom', message: 'expected ascending 32-byte names', input: encoded })
      return z.NEVER
    }
    return names
  },
  encode: (names, context) => {
    const sorted = [...new Set(names)].sort()
    if (!sorted.every((name) => /^[0-9a-f]{64}$/.test(name))) {
      context.issues.push({ code: 'custom', message: 'expected names of 64 hex digits', input: names })
      return z.NEVER
    }
    return Buffer.from(sorted.join(''), 'hex').toString('base64')
  },
})

function unpackNames(bytes: Buffer): string[] | undefined {
  if (bytes.length % NAME_BYTES !== 0) return undefined
  const names: string[] = []
  for (let at = 0; at < bytes.length; at += NAME_BYTES) {
    const name = bytes.toString('hex', at, at + NAME_BYTES)
    if (at > 0 && name <= names[names.length - 1]!) return undefined
    names.push(name)
  }
  return names
}
