import { afterEach, describe, expect, it } from 'vitest'
import { Proofs } from '../../../src/engine/verify/proofs.ts'
import { BackupEngine, memoryTarget, type VerifyOptions } from '../../../src/index.ts'
import { decodeLedger, encodeLedger, ledgerName } from '../../../src/model/ledger.ts'
import { openRepository } from '../../../src/repository/open.ts'
import type { Records } from '../../../src/repository/records.ts'
import { type GetOptions, wrapTarget } from '../../../src/targets/target.ts'
import { TransformRegistry } from '../../../src/transforms/registry.ts'
import { MalformedBytes } from '../../../src/util/bytes.ts'
import { type FakeClock, fakeClock } from '../../util/fake-clock.ts'
import { flipBit, isPack, KEY, makePlace, type Place, packBytes } from './fixture.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const LEDGER = 'state/verify/ledger/'
const { signal } = new AbortController()

let place: Place
let clock: FakeClock

async function setUp(backups: number): Promise<void> {
  clock = fakeClock()
  place = await makePlace(backups, { clock })
}

afterEach(async () => {
  await place?.engine.close()
})

function budget(given: NonNullable<VerifyOptions['budget']>) {
  return place.engine.verify({ level: 'data', budget: given })
}

function ledgers(): string[] {
  return [...place.objects.keys()].filter((key) => key.startsWith(LEDGER))
}

describe('a budget', () => {
  it('reads what was proved longest ago first, until all has had its turn', async () => {
    await setUp(3)
    const packs = [...place.objects.keys()].filter(isPack).length
    const read: number[] = []
    let coverage = 0
    for (let proved = 0; proved < packs; ) {
      await clock.advance(1000)
      const result = await budget({ bytes: 1 })
      expect([result.sound, result.packsRead]).toEqual([true, 1])
      expect(result.coverage).toBeGreaterThan(coverage)
      coverage = result.coverage
      read.push(result.bytesRead)
      proved += result.packsRead
    }
    expect(coverage).toBe(1)
    expect(read.reduce((sum, bytes) => sum + bytes, 0)).toBe(packBytes(place))
    await clock.advance(1000)
    expect((await budget({ bytes: 1 })).bytesRead).toBe(read[0])
  })

  it('is a share of the stored bytes, or bytes, whichever is used up first', async () => {
    await setUp(4)
    const total = packBytes(place)
    const half = await budget({ share: 0.5 })
    expect(half.bytesRead).toBeGreaterThanOrEqual(total / 2)
    expect(half.bytesRead).toBeLessThan(total * 0.9)
    expect(half.coverage).toBeCloseTo(half.bytesRead / total, 10)
    expect((await budget({ share: 1, bytes: 1 })).packsRead).toBe(1)
    expect((await budget({ share: 1 })).bytesRead).toBe(total)
  })

  it('ends by time, after what is being read', async () => {
    await setUp(6)
    const { target } = place
    const slow = wrapTarget(target, {
      get: async (key: string, options: GetOptions = {}) => {
        if (isPack(key) && !options.range) await clock.advance(60)
        return target.get(key, options)
      },
    })
    await using engine = await BackupEngine.open({ target: slow, key: KEY, workers: 'inline', clock })
    const { packsRead } = await engine.verify({ level: 'data', budget: { ms: 50 } })
    // Begun before the first of them came: as many as are read at once.
    expect(packsRead).toBe(2)
  })

  it('finds damage in what it reads, and keeps no proof of that', async () => {
    await setUp(1)
    await budget({ share: 1 })
    flipBit(place, place.packs[0]!)
    await clock.advance(1000)
    const result = await budget({ share: 1 })
    expect(result.sound).toBe(false)
    expect(result.coverage).toBeLessThan(1)
    flipBit(place, place.packs[0]!)
    expect((await place.engine.verify()).coverage).toBe(result.coverage)
    expect((await budget({ bytes: 1 })).coverage).toBe(1)
  })
})

describe('coverage', () => {
  it('counts proofs of the last 30 days, in later engines too', async () => {
    await setUp(2)
    expect((await place.engine.verify()).coverage).toBe(0)
    expect((await place.engine.verify({ level: 'data' })).coverage).toBe(1)
    await clock.advance(29 * DAY_MS)
    expect((await place.engine.verify()).coverage).toBe(1)
    await clock.advance(2 * DAY_MS)
    expect((await place.engine.verify()).coverage).toBe(0)
  })

  it('is about the packs of the chosen snapshots', async () => {
    await setUp(2)
    const chosen = await place.engine.verify({ level: 'data', snapshots: place.ids[0]! })
    expect(chosen.coverage).toBe(1)
    expect(chosen.bytesRead).toBeLessThan(packBytes(place))
    expect((await place.engine.verify({ snapshots: place.ids[0]! })).coverage).toBe(1)
    expect((await place.engine.verify()).coverage).toBeCloseTo(chosen.bytesRead / packBytes(place), 10)
  })
})

describe('the ledger', () => {
  it('is one object a check, of which the last two are kept', async () => {
    await setUp(2)
    for (let n = 1; n <= 4; n++) {
      await clock.advance(1000)
      await budget({ bytes: 1 })
    }
    expect(ledgers()).toEqual([`${LEDGER}00000003`, `${LEDGER}00000004`])
    await place.engine.verify()
    expect(ledgers()).toHaveLength(2)
  })

  it('that is damaged is a warning, and the one before it counts', async () => {
    await setUp(2)
    await budget({ bytes: 1 })
    const { coverage } = await place.engine.verify()
    await clock.advance(1000)
    await budget({ bytes: 1 })
    flipBit(place, `${LEDGER}00000002`)
    const after = await place.engine.verify()
    expect(after).toMatchObject({
      sound: true,
      coverage,
      findings: [{ severity: 'warning', object: `${LEDGER}00000002` }],
    })
    expect((await budget({ share: 1 })).coverage).toBe(1)
    expect(ledgers().at(-1)).toBe(`${LEDGER}00000003`)
  })

  it('keeps what two checks that end at once have proved', async () => {
    const records = await recordsOf()
    const [one, two] = [new Proofs(records), new Proofs(records)]
    await Promise.all([one.load(signal), two.load(signal)])
    const existing = new Set(['aa'.repeat(32), 'bb'.repeat(32)])
    const [first, second] = [new Date(5000), new Date(9000)]
    await one.add({ existing, checked: new Map([['aa'.repeat(32), first]]) }, signal)
    await two.add({ existing, checked: new Map([['bb'.repeat(32), second]]) }, signal)
    const read = new Proofs(records)
    await read.load(signal)
    expect([...existing].map((pack) => read.provedMs(pack))).toEqual([5000, 9000])
  })

  it('forgets packs that are gone, and proofs of packs that were found damaged', async () => {
    const records = await recordsOf()
    const packs = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32))
    const proofs = new Proofs(records)
    await proofs.load(signal)
    await proofs.add(
      { existing: new Set(packs), checked: new Map(packs.map((pack) => [pack, new Date(5000)])) },
      signal,
    )
    const checked = new Map([[packs[1]!, undefined]])
    await proofs.add({ existing: new Set(packs.slice(0, 2)), checked }, signal)
    const read = new Proofs(records)
    await read.load(signal)
    expect(packs.map((pack) => read.provedMs(pack))).toEqual([5000, 0, 0])
  })

  it('has a compact form that is refused when it is anything else', () => {
    const ledger = new Map([
      [ledgerName('ff'.repeat(32)), 1_700_000_000_000],
      [ledgerName('01'.repeat(32)), 1000],
    ])
    const bytes = encodeLedger(ledger)
    expect(bytes.length).toBe(8 + 2 * 20)
    expect(decodeLedger(bytes)).toEqual(ledger)
    expect(Buffer.from(encodeLedger(new Map([...ledger].reverse()))).equals(bytes)).toBe(true)
    for (const wrong of [
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.alloc(8),
      Buffer.alloc(3),
    ]) {
      expect(() => decodeLedger(wrong)).toThrow(MalformedBytes)
    }
  })
})

async function recordsOf(): Promise<Records> {
  const registry = new TransformRegistry([])
  const options = { key: 'none' as const, create: 'if-empty' as const, transforms: [], registry, now: new Date(0) }
  return (await openRepository({ target: memoryTarget(), ...options })).records
}

describe('the note of a verified snapshot', () => {
  const lastVerified = async (at: number) => (await place.engine.snapshot(place.ids[at]!)).lastVerified
  const notes = (): number => [...place.objects.keys()].filter((key) => key.startsWith('notes/')).length

  it('says when, how deeply and with what result it was verified last', async () => {
    await setUp(2)
    await place.engine.verify({ snapshots: place.ids[0]! })
    expect(await lastVerified(0)).toEqual({ at: clock.now(), level: 'structure', sound: true })
    expect(await lastVerified(1)).toBeUndefined()
    await place.engine.verify({ level: 'data' })
    expect(await lastVerified(1)).toMatchObject({ level: 'data', sound: true })
    place.objects.delete(place.packs[1]!)
    await place.engine.verify()
    expect([(await lastVerified(0))?.sound, (await lastVerified(1))?.sound]).toEqual([true, false])
    expect(await place.engine.snapshots({ verified: true }).toArray()).toMatchObject([{ id: place.ids[0] }])
  })

  it('claims no more than structure where only a part of the data was read', async () => {
    await setUp(2)
    await budget({ bytes: 1 })
    expect(await lastVerified(0)).toMatchObject({ level: 'structure' })
    await budget({ share: 1 })
    expect(await lastVerified(0)).toMatchObject({ level: 'data' })
  })

  it('is not written again within a day if it says the same', async () => {
    await setUp(1)
    for (let hour = 0; hour < 3; hour++) {
      await place.engine.verify()
      await clock.advance(60 * 60 * 1000)
    }
    expect(notes()).toBe(1)
    await clock.advance(DAY_MS)
    await place.engine.verify()
    expect(notes()).toBe(2)
  })
})
