/** What must hold of the stored objects, found out without the code that keeps it so. */
import { decodeFragment } from '../../src/model/fragment.ts'
import { gcDoneRecord } from '../../src/model/gc.ts'
import { decodeDirectory } from '../../src/model/pack.ts'
import { decodeSnapshotObject } from '../../src/model/tombstone.ts'
import type { World } from './world.ts'

/** By their bytes, which are shared by all the schedules that have not touched them. */
const opened = new WeakMap<Uint8Array, unknown>()

function once<T>(bytes: Uint8Array, read: () => T): T {
  if (!opened.has(bytes)) opened.set(bytes, read())
  return opened.get(bytes) as T
}

interface Fact {
  pack: string
  id: string
}

/** Chunks of committed snapshots that are nowhere, as `<snapshot>: <chunk>`. */
export function lostChunks(world: World, objects: ReadonlyMap<string, Uint8Array>): string[] {
  const dead = deadPacks(world, objects)
  const there = new Set<string>()
  for (const { pack, id } of allFacts(world, objects)) {
    if (!dead.has(pack) && objects.has(`packs/${pack.slice(0, 2)}/${pack}`)) there.add(id)
  }
  const lost: string[] = []
  for (const [key, bytes] of objects) {
    if (!key.startsWith('snapshots/')) continue
    const object = once(bytes, () => decodeSnapshotObject(world.repository.records.open('snapshots', key, bytes), key))
    if ('tombstone' in object) continue
    for (const name of world.chunksOf(object.snapshot)) {
      if (!there.has(hexOf(world.idOf(name)))) lost.push(`${key}: ${name}`)
    }
  }
  return lost
}

/** Whether it is in any pack that is there. */
export function holds(world: World, objects: ReadonlyMap<string, Uint8Array>, name: string): boolean {
  const id = hexOf(world.idOf(name))
  return allFacts(world, objects).some(
    (fact) => fact.id === id && objects.has(`packs/${fact.pack.slice(0, 2)}/${fact.pack}`),
  )
}

/** Objects that a last prune should have taken away. */
export function litter(world: World, objects: ReadonlyMap<string, Uint8Array>): string[] {
  const dead = deadPacks(world, objects)
  const named = new Set(allFacts(world, objects).map(({ pack }) => pack))
  return [...objects.keys()].filter((key) => {
    const name = key.split('/').at(-1)!
    if (key.startsWith('packs/')) return dead.has(name) || !named.has(name)
    return /^gc\/[0-9]+$/.test(key)
  })
}

export function deadPacks(world: World, objects: ReadonlyMap<string, Uint8Array>): ReadonlySet<string> {
  const key = [...objects.keys()]
    .filter((each) => each.endsWith('.done'))
    .sort()
    .at(-1)
  if (key === undefined) return new Set()
  const bytes = objects.get(key)!
  return once(bytes, () => new Set(gcDoneRecord.decode(world.repository.records.open('control', key, bytes), key).dead))
}

function allFacts(world: World, objects: ReadonlyMap<string, Uint8Array>): Fact[] {
  return [...objects].flatMap(([key, bytes]) =>
    key.startsWith('index/') ? once(bytes, () => factsIn(world, key, bytes)) : [],
  )
}

function factsIn(world: World, key: string, bytes: Uint8Array): Fact[] {
  return decodeFragment(world.repository.records.open('index', key, bytes)).packs.flatMap(({ name, directory }) => {
    const { chunkRows } = decodeDirectory(directory)
    return Array.from({ length: chunkRows.length / 36 }, (_, i) => ({
      pack: hexOf(name),
      id: chunkRows.toString('hex', i * 36, i * 36 + 32),
    }))
  })
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
