import { describe, expect, it } from 'vitest'
import { idOfSegment, isRunId, segmentOfId } from '../../src/model/ids.ts'
import { parseKey, reportKey } from '../../src/repository/keys-layout.ts'
import { checkKey } from '../../src/targets/checks.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { memorySource, testEngine } from '../../src/testing/index.ts'

const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
const IDS = [
  '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  'V1StGXR8_Z5jdHi6B-myT',
  '550E8400-E29B-41D4-A716-446655440000',
  '..',
  '_',
  '__41',
  '_a',
  'a/b',
  '~'.repeat(64),
  'run-1',
  'x'.repeat(128),
  ...VISIBLE,
]

describe('ids in keys', () => {
  it('are told apart by stores that know no capitals, and come back', () => {
    const segments = IDS.map(segmentOfId)
    for (const [at, segment] of segments.entries()) {
      expect(() => checkKey(`reports/${segment}`)).not.toThrow()
      expect(idOfSegment(segment)).toBe(IDS[at])
      expect(parseKey(reportKey(IDS[at]!))).toEqual({ area: 'reports', id: IDS[at] })
    }
    expect(new Set(segments.map((segment) => segment.toLowerCase())).size).toBe(new Set(IDS).size)
    expect(['run-1', 'Nightly/7', 'ABC', 'abc'].map(segmentOfId)).toEqual([
      'run-1',
      '__4eightly_2f7',
      '__41_42_43',
      'abc',
    ])
  })

  it('have one form each', () => {
    for (const other of ['_', '_abc', '_run-1', '__61', '__4E', '__7f', '__20', '__', '-a', '.a', 'A', '_a_', '']) {
      expect([other, idOfSegment(other)]).toEqual([other, undefined])
    }
    for (const bad of ['', 'a b', 'A'.repeat(65), 'é', 'a\n', '\u007f'])
      expect([bad, isRunId(bad)]).toEqual([bad, false])
  })

  it('name reports that are found again, also of runs whose ids differ in case alone', async () => {
    const target = memoryTarget()
    const engine = await testEngine({ target, sources: [memorySource({ name: 'a', files: { b: 'c' } })] })
    for (const runId of ['Nightly/7', 'nightly/7']) expect((await engine.backup({ runId })).runId).toBe(runId)
    await engine.close()
    const other = await testEngine({ target })
    const found = (await other.history.list().toArray()).map(({ runId }) => runId)
    expect(found.sort()).toEqual(['Nightly/7', 'nightly/7'])
    expect((await other.verify({ level: 'data' })).findings).toEqual([])
    await other.close()
  })
})
