/** Checksums that a target tells of one object, but not in listings: as stores of S3 do. */
import { describe, expect, it } from 'vitest'
import { BackupEngine, type Target, wrapTarget } from '../../../src/index.ts'
import { isPack, KEY, makePlace, type Place } from './fixture.ts'

/** Looks at the bytes by `digests` instead, where that has the key; undefined: it is gone. */
function tellingTarget(place: Place, digests: ReadonlyMap<string, string | undefined>): Target & { asked: string[] } {
  const { target } = place
  const asked: string[] = []
  return wrapTarget(target, {
    asked,
    traits: { ...target.traits, checksums: 'sha256' },
    async stat(key: string) {
      asked.push(key)
      const info = await target.stat(key)
      if (info === undefined || (digests.has(key) && digests.get(key) === undefined)) return undefined
      return { ...info, checksum: digests.get(key) ?? key.slice(key.lastIndexOf('/') + 1) }
    },
  })
}

describe('verify of the structure, on a target that tells checksums of single objects', () => {
  it('asks once for each pack that is in question, and for none where the bytes are read', async () => {
    const place = await makePlace(3)
    const target = tellingTarget(place, new Map())
    await using engine = await BackupEngine.open({ target, key: KEY, workers: 'inline' })
    expect(await engine.verify()).toMatchObject({ sound: true, findings: [] })
    const packs = [...place.objects.keys()].filter(isPack)
    expect(target.asked.sort()).toEqual(packs.sort())
    target.asked.length = 0
    await engine.verify({ snapshots: place.ids[0]! })
    expect(target.asked).toContain(place.packs[0])
    expect(target.asked).not.toContain(place.packs[2])
    target.asked.length = 0
    await engine.verify({ level: 'data' })
    expect(target.asked).toEqual([])
  })

  it('finds the pack that is another, or gone, and who needs it', async () => {
    const place = await makePlace(3)
    const digests = new Map<string, string | undefined>([[place.packs[1]!, 'f'.repeat(64)]])
    const target = tellingTarget(place, digests)
    await using engine = await BackupEngine.open({ target, key: KEY, workers: 'inline' })
    const corrupt = await engine.verify()
    expect(corrupt.sound).toBe(false)
    expect(corrupt.findings).toHaveLength(1)
    expect(corrupt.findings[0]).toMatchObject({ code: 'OBJECT_CORRUPT', object: place.packs[1] })
    expect(corrupt.snapshots.map(({ sound }) => sound)).toEqual(corrupt.snapshots.map(({ id }) => id === place.ids[0]))
    expect((await engine.verify({ snapshots: place.ids[0]! })).sound).toBe(true)
    expect((await engine.verify({ snapshots: place.ids[1]! })).sound).toBe(false)
    digests.set(place.packs[1]!, undefined)
    const gone = await engine.verify()
    expect(gone.findings[0]).toMatchObject({ code: 'OBJECT_MISSING', object: place.packs[1] })
  })
})
