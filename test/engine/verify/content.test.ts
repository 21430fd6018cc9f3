/** verify with level 'content'. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CheckContext, SourceEntry } from '../../../src/sources/source.ts'
import { workerPool } from '../../../src/workers/threads/pool.ts'
import { lines, table } from '../backup/pull-support.ts'
import { listSource, openEngine } from '../browse/browse-fixture.ts'

const bytes = lines(3_000_000)
const truth = {
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.length,
  rows: bytes.filter((byte) => byte === 10).length,
}

function claiming(facts: object): SourceEntry[] {
  const [head, row] = table('t', [bytes])
  return [head!, { ...row!, facts: { ...facts } as never }]
}

describe("verify with level 'content'", () => {
  it.each(['inline', 'threads'])('proves what entries say of their content (%s)', async (how) => {
    await using pool = workerPool({ threads: 2 })
    const engine = await openEngine([listSource('db', claiming(truth))], how === 'inline' ? {} : { workers: pool })
    const { verified } = await engine.backup({ verify: 'content' })
    expect(verified).toBe('content')
    const result = await engine.verify({ level: 'content' })
    expect(result).toMatchObject({ sound: true, level: 'content', findings: [] })
    const { lastVerified } = await engine.snapshot('latest')
    expect(lastVerified).toMatchObject({ level: 'content', sound: true })
    await engine.close()
  })

  it.each([
    ['sha256', '0'.repeat(64)],
    ['bytes', 7],
    ['rows', 7],
  ])('finds a %s that is not so', async (what, claimed) => {
    const engine = await openEngine([listSource('db', claiming({ ...truth, [what]: claimed }))])
    const { snapshot } = await engine.backup()
    expect(await engine.verify({ level: 'data' })).toMatchObject({ sound: true })
    const result = await engine.verify({ level: 'content', snapshots: 'latest' })
    expect(result).toMatchObject({ sound: false, snapshots: [{ id: snapshot.id, sound: false }] })
    expect(result.findings).toMatchObject([
      {
        code: 'CONTENT_MISMATCH',
        severity: 'error',
        affects: { snapshots: [snapshot.id], entries: 1 },
        details: { path: 'db/t/000001.copy', [what]: { expected: claimed, found: truth[what as keyof typeof truth] } },
      },
    ])
    await expect(engine.backup({ verify: 'content' })).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
  })

  it('asks the sources of the engine, which read what they want', async () => {
    const seen: string[] = []
    const check = async ({ facts, reader }: CheckContext) => {
      seen.push(JSON.stringify(facts))
      for await (const batch of reader.entries()) for (const { path } of batch) seen.push(path)
      let length = 0
      for await (const piece of reader.content('t/000001.copy')) length += piece.length
      seen.push(String(length))
      return [
        { code: 'SEQUENCE_BEHIND', severity: 'warning' as const, message: 'behind' },
        { code: 'DUMP_UNREADABLE', severity: 'error' as const, message: 'cannot be read' },
      ]
    }
    const engine = await openEngine([Object.assign(listSource('db', claiming(truth)), { check })])
    const { snapshot } = await engine.backup()
    expect((await engine.verify({ level: 'data' })).findings).toEqual([])
    const result = await engine.verify({ level: 'content' })
    expect(seen).toEqual(['{"kind":"a list"}', 't', 't/000001.copy', String(bytes.length)])
    expect(result.findings.map(({ code }) => code)).toEqual(['DUMP_UNREADABLE', 'SEQUENCE_BEHIND'])
    expect(result).toMatchObject({ sound: false, snapshots: [{ id: snapshot.id, sound: false }] })
  })

  it('ends with ABORTED', async () => {
    const abort = new AbortController()
    const check = async () => {
      abort.abort()
      return []
    }
    const engine = await openEngine([Object.assign(listSource('db', claiming(truth)), { check })])
    await engine.backup()
    await expect(engine.verify({ level: 'content', signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
