import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  classOfKey,
  configKey,
  gcDoneKey,
  gcKey,
  indexKey,
  noteKey,
  packKey,
  parseKey,
  reportKey,
  runKey,
  slotKey,
  snapshotKey,
  stateKey,
  trashKey,
} from '../../src/repository/keys-layout.ts'
import { codeOf, copyOf, freshRepository, KEY, openIn } from './fixtures.ts'

const NAME = 'ab'.repeat(32)
const bytes = new TextEncoder().encode('{"hello":"world"}')

describe('records', () => {
  it.each(['encrypted', 'none'])('come back from their own key and no other (%s)', async (kind) => {
    const { records, target, objects } = await freshRepository({ key: kind === 'none' ? 'none' : KEY })
    await records.put('control', 'runs/a', bytes)
    expect(Buffer.from(await records.get('control', 'runs/a')).toString()).toBe('{"hello":"world"}')
    await target.put('runs/b', new Uint8Array(objects.get('runs/a')!))
    expect(await codeOf(records.get('control', 'runs/b'))).toBe('OBJECT_CORRUPT')
    expect(await codeOf(records.get('index', 'runs/a'))).toBe('OBJECT_CORRUPT')
    expect(await codeOf(records.get('control', 'runs/c'))).toBe('OBJECT_MISSING')
    expect(await codeOf(records.get('control', 'runs/a', { maxRawBytes: 5 }))).toBe('OBJECT_CORRUPT')
  })

  it.each(['encrypted', 'none'])('are refused from another repository (%s)', async (kind) => {
    const key = kind === 'none' ? 'none' : KEY
    const first = await freshRepository({ key })
    const second = await freshRepository({ key })
    await first.records.put('control', 'runs/a', bytes)
    await second.target.put('runs/a', new Uint8Array(first.objects.get('runs/a')!))
    expect(await codeOf(second.records.get('control', 'runs/a'))).toBe('OBJECT_CORRUPT')
  })

  it.each(['encrypted', 'none'])('notice every flipped byte, every cut and every addition (%s)', async (kind) => {
    const key = kind === 'none' ? 'none' : KEY
    const { records, objects } = await freshRepository({ key })
    await records.put('control', 'runs/a', bytes)
    const copy = await copyOf(objects)
    const opened = (await openIn(copy, { key })).records
    const stored = copy.objects.get('runs/a')!
    for (let at = 0; at < stored.length; at++) {
      stored[at]! ^= 1 << (at & 7)
      const code = await codeOf(opened.get('control', 'runs/a'))
      expect(['OBJECT_CORRUPT', 'FORMAT_UNSUPPORTED', 'TRANSFORM_UNKNOWN'], `byte ${at}`).toContain(code)
      stored[at]! ^= 1 << (at & 7)
    }
    for (let cut = 0; cut < stored.length; cut += 7) {
      await copy.put('runs/b', stored.slice(0, cut))
      expect(() => opened.open('control', 'runs/a', stored.slice(0, cut))).toThrow()
    }
    const longer = new Uint8Array(stored.length + 1)
    longer.set(stored)
    expect(() => opened.open('control', 'runs/a', longer)).toThrow(/runs\/a/)
    expect(await codeOf(opened.get('control', 'runs/a'))).toBe('resolved')
  })

  it('are created once, and know their own bytes again', async () => {
    const { records } = await freshRepository()
    const sealed = records.seal('control', 'runs/a', bytes)
    expect(await records.create('runs/a', sealed)).toBe('created')
    expect(await records.create('runs/a', sealed)).toBe('own')
    expect(await records.create('runs/a', records.seal('control', 'runs/a', bytes))).toBe('exists')
  })
})

describe('keys', () => {
  const all = [
    { key: configKey(1), parsed: { area: 'config', n: 1 }, cls: undefined },
    { key: slotKey('0f'.repeat(16)), parsed: { area: 'keys', slot: '0f'.repeat(16) }, cls: undefined },
    { key: packKey(NAME), parsed: { area: 'packs', name: NAME }, cls: undefined },
    { key: indexKey(NAME), parsed: { area: 'index', name: NAME }, cls: 'index' },
    { key: snapshotKey('run-1'), parsed: { area: 'snapshots', id: 'run-1' }, cls: 'snapshots' },
    { key: noteKey('run-1', 12), parsed: { area: 'notes', id: 'run-1', n: 12 }, cls: 'snapshots' },
    {
      key: stateKey('schedules', 'nightly', 3),
      parsed: { area: 'state', kind: 'schedules', name: 'nightly', n: 3 },
      cls: 'control',
    },
    { key: reportKey('run-1'), parsed: { area: 'reports', id: 'run-1' }, cls: 'control' },
    { key: runKey('run-1'), parsed: { area: 'runs', id: 'run-1' }, cls: 'control' },
    { key: gcKey(7), parsed: { area: 'gc', n: 7, done: false }, cls: 'control' },
    { key: gcDoneKey(7), parsed: { area: 'gc', n: 7, done: true }, cls: 'control' },
    { key: trashKey('run-1'), parsed: { area: 'trash', id: 'run-1' }, cls: 'snapshots' },
  ]

  it.each(all)('$key is read as it was made, and has its class', ({ key, parsed, cls }) => {
    expect(parseKey(key)).toEqual(parsed)
    expect(classOfKey(key)).toBe(cls)
  })

  it('are as the format says', () => {
    expect(all.map(({ key }) => key).slice(0, 3)).toEqual([
      'config/00000001',
      `keys/${'0f'.repeat(16)}`,
      `packs/ab/${NAME}`,
    ])
    expect(gcDoneKey(7)).toBe('gc/00000007.done')
    expect(() => configKey(0)).toThrow(RangeError)
    expect(() => configKey(100_000_000)).toThrow(RangeError)
  })

  it('are nothing else', () => {
    const wrong = [
      'config/1',
      'config/00000000',
      'config/00000001/x',
      `packs/ac/${NAME}`,
      'snapshots/',
      'snapshots/a/b',
    ]
    for (const key of [...wrong, 'snapshots/..', 'constructor/x', 'gc/00000001.do', 'notes/a', 'x', '', 'keys/a']) {
      expect(parseKey(key), key).toBeUndefined()
    }
    fc.assert(fc.property(fc.string(), (key) => parseKey(key) === undefined || key.includes('/')))
  })
})
