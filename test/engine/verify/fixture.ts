/** A repository of several backups, each with packs of its own, and ways to reach behind the target's back. */
import { BackupEngine, type EngineOptions, memoryTarget, rawKey } from '../../../src/index.ts'
import { memorySource } from '../../../src/testing/index.ts'
import { noise } from '../browse/browse-fixture.ts'

export const KEY = rawKey(new Uint8Array(32).fill(3))
export const FILE_BYTES = 100_000

export interface Place {
  engine: BackupEngine
  target: ReturnType<typeof memoryTarget>
  objects: Map<string, Uint8Array>
  source: ReturnType<typeof memorySource>
  /** Oldest first. */
  ids: string[]
  /** Of each backup: the pack of its new content. */
  packs: string[]
}

/** Backup n adds `file-<n>` and `copy-<n>` of the same bytes, and `name-<n>` of a few. */
export async function makePlace(backups: number, over: Partial<EngineOptions> = {}): Promise<Place> {
  const target = memoryTarget()
  const source = memorySource({ name: 'files' })
  const engine = await BackupEngine.open({
    target,
    key: KEY,
    workers: 'inline',
    cache: 'none',
    sources: [source],
    ...over,
  })
  const place: Place = {
    engine,
    target,
    objects: target.objects as Map<string, Uint8Array>,
    source,
    ids: [],
    packs: [],
  }
  for (let n = 0; n < backups; n++) await addBackup(place, n)
  return place
}

async function addBackup({ engine, objects, source, ids, packs }: Place, n: number): Promise<void> {
  const before = new Set(objects.keys())
  source.set(`file-${n}`, noise(FILE_BYTES, n + 1))
  source.set(`copy-${n}`, noise(FILE_BYTES, n + 1))
  source.set(`name-${n}`, `name ${n}`)
  ids.push((await engine.backup()).snapshot.id)
  const fresh = [...objects].filter(([key, bytes]) => !before.has(key) && isPack(key) && bytes.length > FILE_BYTES)
  packs.push(fresh[0]![0])
}

export function isPack(key: string): boolean {
  return key.startsWith('packs/')
}

export function packBytes({ objects }: Place): number {
  return [...objects].reduce((sum, [key, bytes]) => sum + (isPack(key) ? bytes.length : 0), 0)
}

/** In place, so that nothing but the content changes. */
export function flipBit({ objects }: Place, key: string, share = 0.5): void {
  const bytes = objects.get(key)!
  bytes[Math.floor(bytes.length * share)]! ^= 4
}
