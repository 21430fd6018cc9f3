import { expect, it } from 'vitest'
import { parsePostgresOptions } from '../../../src/sources/postgres/options.ts'
import { restrictKey, takesRestrictKey } from '../../../src/sources/postgres/restrict-key.ts'

it('is taken from the snapshot before, else is one for each source', () => {
  const [one, other] = [parsePostgresOptions({ name: 'a' }), parsePostgresOptions({ name: 'a' })]
  const key = restrictKey(one, undefined)
  expect(key).toMatch(/^[0-9a-f]{48}$/)
  expect(restrictKey(one, { restrictKey: 'not a key' })).toBe(key)
  expect(restrictKey(other, undefined)).not.toBe(key)
  expect(restrictKey(other, { restrictKey: key })).toBe(key)
})

it('is an option since the releases of August 2025', () => {
  expect(['14.18', '15.13', '16.9', '17.5', '12.22'].map(takesRestrictKey)).toEqual(Array(5).fill(false))
  expect(['14.19', '15.14', '16.10', '17.6', '18.0', '19'].map(takesRestrictKey)).toEqual(Array(6).fill(true))
})
