import { describe, expect, it } from 'vitest'
import { describeOptions } from '../../../src/engine/run/report.ts'
import { emptySource } from '../fixture.ts'

describe('describeOptions', () => {
  it('is plain JSON: plugins become their names, what belongs to the call is left out', () => {
    const options = {
      runId: 'r',
      actor: 'me',
      signal: new AbortController().signal,
      onProgress: () => {},
      sources: ['uploads', Object.assign(emptySource('main'), { connectionString: 'postgres://u:hunter2@h/db' })],
      tags: ['a'],
      parent: { latest: { before: new Date(0), tags: ['x'] } },
      maxSourceBytes: Number.POSITIVE_INFINITY,
      client: new Map([['password', 'hunter2']]),
      left: undefined,
    }
    const described = describeOptions(options)
    expect(described).toEqual({
      sources: ['uploads', 'main'],
      tags: ['a'],
      parent: { latest: { before: '1970-01-01T00:00:00.000Z', tags: ['x'] } },
      maxSourceBytes: 'Infinity',
      client: 'object',
    })
    expect(JSON.parse(JSON.stringify(described))).toEqual(described)
  })
})
