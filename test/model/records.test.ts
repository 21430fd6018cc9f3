import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import { parseConfig } from '../../src/model/config.ts'
import { gcCandidatesRecord, gcDoneRecord } from '../../src/model/gc.ts'
import type { JsonRecord } from '../../src/model/json-record.ts'
import { parseKeySlot } from '../../src/model/key-slot.ts'
import { noteRecord } from '../../src/model/note.ts'
import { reportRecord } from '../../src/model/report.ts'
import { runRecord } from '../../src/model/run.ts'
import { factsToMove, SNAPSHOT_AIM_BYTES, snapshotRecord } from '../../src/model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../src/model/tombstone.ts'
import { codeThrown, NOW, snapshotOf } from '../repository/fixtures.ts'

const PACK_A = 'a'.repeat(64)
const PACK_B = 'b'.repeat(64)

const EXAMPLES: readonly { record: JsonRecord<never>; value: unknown }[] = [
  { record: snapshotRecord, value: snapshotOf('20260102t030405678-aaaaaaaaaa', { name: 'näme', tags: ['x'] }) },
  { record: tombstoneRecord, value: { id: 'run-1', at: NOW, reason: 'fenced', by: 'prune-1' } },
  {
    record: noteRecord,
    value: {
      snapshot: 'run-1',
      at: NOW,
      addTags: ['a'],
      removeTags: [],
      holds: [{ reason: 'audit', expires: NOW }],
      lastVerified: { at: NOW, level: 'data', sound: true },
    },
  },
  { record: runRecord, value: { id: 'run-1', verb: 'backup', startedAt: NOW, host: 'here', pid: 7, beat: 3 } },
  {
    record: runRecord,
    value: { id: 'run-2', verb: 'forget', startedAt: NOW, host: 'here', pid: 7, beat: 0, forgets: ['run-1'] },
  },
  { record: gcCandidatesRecord, value: { n: 2, run: 'prune-1', at: NOW, packs: [PACK_A, PACK_B] } },
  { record: gcDoneRecord, value: { n: 2, run: 'prune-1', at: NOW, outcome: 'done', dead: [PACK_A] } },
  {
    record: reportRecord,
    value: {
      runId: 'run-1',
      verb: 'backup',
      status: 'failed',
      startedAt: NOW,
      endedAt: NOW,
      durationMs: 1,
      host: 'here',
      counts: { entries: 1 },
      options: { tags: ['a'], nested: [1, null] },
      warnings: [{ code: 'ENTRY_SKIPPED', message: 'no', path: 'files/a', details: { errno: 13 } }],
      error: { code: 'TARGET_FULL', origin: 'target', message: 'full', retryable: false },
    },
  },
] as never

const text = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))

describe.each(EXAMPLES.map((each) => ({ ...each, type: each.record.type })))('$type', ({ record, value }) => {
  const stored = JSON.parse(Buffer.from(record.encode(value as never)).toString())

  it('comes back as it was', () => {
    expect(record.decode(record.encode(value as never))).toEqual(value)
  })

  it('refuses what is damaged, of another type, or unknown', () => {
    expect(codeThrown(() => record.decode(text({ ...stored, extra: 1 })))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => record.decode(text({ ...stored, type: 'other' })))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => record.decode(text({ ...stored, version: 0 })))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => record.decode(text('[]')))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => record.decode(text('')))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => record.decode(new Uint8Array(record.maxBytes + 1)))).toBe('OBJECT_CORRUPT')
    for (const field of Object.keys(stored)) {
      const { [field]: _, ...rest } = stored
      const optional = ['name', 'by', 'lastVerified', 'error', 'forgets'].includes(field)
      expect(codeThrown(() => record.decode(text(rest)))).toBe(optional ? 'returned' : 'OBJECT_CORRUPT')
    }
  })

  it('says unsupported, not corrupt, of a newer version, whatever is in it', () => {
    expect(codeThrown(() => record.decode(text({ ...stored, version: 2, extra: 1 })))).toBe('FORMAT_UNSUPPORTED')
  })

  it('throws nothing but BackupError for any bytes and any JSON', () => {
    const fields = fc.dictionary(fc.constantFrom(...Object.keys(stored), '__proto__', 'x'), fc.jsonValue())
    const inputs = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.jsonValue().map(text),
      fields.map((some) => text({ ...stored, ...some })),
    )
    fc.assert(
      fc.property(inputs, (bytes) => expectKnownEnd(() => record.decode(bytes))),
      { numRuns: 300 },
    )
  })
})

function expectKnownEnd(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    expect(BackupError.is(error) && ['OBJECT_CORRUPT', 'FORMAT_UNSUPPORTED'].includes(error.code)).toBe(true)
  }
}

describe('bounds', () => {
  it('never writes what it could not read', () => {
    expect(codeThrown(() => snapshotRecord.encode(snapshotOf('two words')))).toBe('INVALID_OPTIONS')
    expect(codeThrown(() => snapshotRecord.encode(snapshotOf('a', { durationMs: Number.NaN })))).toBe('INVALID_OPTIONS')
    expect(codeThrown(() => snapshotRecord.encode(snapshotOf('a', { createdAt: new Date(Number.NaN) })))).toBe(
      'INVALID_OPTIONS',
    )
    const labels = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`label${i}`, 'x'.repeat(1024)]))
    expect(codeThrown(() => snapshotRecord.encode(snapshotOf('a', { labels })))).toBe('LIMIT_EXCEEDED')
  })

  it('survives nesting without end', () => {
    const deep = `{"type":"report","version":1,"options":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expectKnownEnd(() => reportRecord.decode(text(deep)))
  })

  it('keeps any packs of a prune, sorted and distinct', () => {
    const name = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    fc.assert(
      fc.property(fc.array(name, { maxLength: 20 }), (packs) => {
        const bytes = gcCandidatesRecord.encode({ n: 1, run: 'a', at: NOW, packs })
        expect(gcCandidatesRecord.decode(bytes).packs).toEqual([...new Set(packs)].sort())
      }),
    )
  })

  it('refuses pack names that are unsorted, cut, or not in the one spelling of base64', () => {
    const make = (packs: string) => text({ type: 'gc', version: 1, n: 1, run: 'a', at: NOW.toISOString(), packs })
    const b64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
    expect(gcCandidatesRecord.decode(make(b64(PACK_A + PACK_B))).packs).toEqual([PACK_A, PACK_B])
    expect(codeThrown(() => gcCandidatesRecord.decode(make(b64(PACK_B + PACK_A))))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => gcCandidatesRecord.decode(make(b64(PACK_A + PACK_A))))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => gcCandidatesRecord.decode(make(b64(PACK_A.slice(2)))))).toBe('OBJECT_CORRUPT')
    expect(codeThrown(() => gcCandidatesRecord.decode(make(b64(PACK_A).replace('o=', 'p='))))).toBe('OBJECT_CORRUPT')
  })
})

describe('a snapshot object', () => {
  it('is a snapshot or a tombstone, and a tombstone is always shorter', () => {
    const longest = 'x'.repeat(128)
    const tombstone = tombstoneRecord.encode({ id: longest, at: NOW, reason: 'abandoned', by: longest })
    const smallest = snapshotRecord.encode(snapshotOf(longest, { host: '', sources: [] }))
    expect(decodeSnapshotObject(tombstone)).toMatchObject({ tombstone: { reason: 'abandoned' } })
    expect(decodeSnapshotObject(smallest)).toMatchObject({ snapshot: { id: longest } })
    expect(tombstone.length).toBeLessThan(smallest.length)
  })

  it('moves the largest facts out until it fits its aim', () => {
    const source = (name: string, bytes: number) => ({
      ...snapshotOf().sources[0]!,
      name,
      facts: { blob: 'x'.repeat(bytes) },
    })
    expect(factsToMove(snapshotOf('a', { sources: [source('a', 100), source('b', 1000)] }))).toEqual([])
    const large = snapshotOf('a', {
      sources: [source('a', 100), source('b', 2000), source('c', 5000), source('d', 900)],
    })
    expect(factsToMove(large)).toEqual([2])
    const chunk = { id: 'A'.repeat(43), rawBytes: 5000 }
    const moved = {
      ...large,
      sources: large.sources.map((s, i) => (i === 2 ? { ...s, facts: {}, factsRef: chunk } : s)),
    }
    expect(snapshotRecord.encode(moved).length).toBeLessThanOrEqual(SNAPSHOT_AIM_BYTES)
    expect(snapshotRecord.decode(snapshotRecord.encode(moved))).toEqual(moved)
  })
})

describe('configs and key slots', () => {
  it('throw nothing but BackupError for any lines', () => {
    const line = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    )
    const lines = fc.array(line, { maxLength: 4 })
    const head = fc.constantFrom('holdfast config 1', 'holdfast key 1', 'holdfast key 2', '')
    const input = fc
      .tuple(head, lines, fc.constantFrom('a'.repeat(64), ''))
      .map(([h, l, s]) => [h, ...l, s, ''].join('\n'))
    fc.assert(
      fc.property(input, (some) => {
        expectKnownEnd(() => parseConfig(text(some)))
        expectKnownEnd(() => parseKeySlot(text(some)))
      }),
      { numRuns: 500 },
    )
    expectKnownEnd(() => parseConfig(new Uint8Array([0xff, 0xfe])))
  })
})
