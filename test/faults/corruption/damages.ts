/** What can be wrong with an object, or with a part of a pack. */
import { formatNumber } from '../../../src/model/ids.ts'
import { noise } from '../../engine/browse/browse-fixture.ts'
import { classOf, type ObjectClass, type Place } from './places.ts'
import { copyOf, type Scene } from './scene.ts'

export const DAMAGES = [
  'missing',
  'truncated',
  'one bit',
  'swapped',
  'zeroed',
  'garbage',
  'wrong name',
  'old version',
] as const
export type DamageName = (typeof DAMAGES)[number]

/** One way to do it; undefined where this place has none. */
export type Damage = (objects: Map<string, Uint8Array>, place: Place, all: Surroundings) => true | undefined

/** What damage is made of. */
export interface Surroundings {
  scene: Scene
  /** Another repository under the same keys. */
  stranger: Scene
  places: readonly Place[]
}

/** The whole again, with every damage in all the ways it is tried. */
export const WAYS: Readonly<Record<DamageName, Readonly<Record<string, Damage>>>> = {
  missing: { missing: edited(() => new Uint8Array(0)) },
  truncated: {
    'to nothing': cut(() => 0),
    'to half': cut((length) => length >> 1),
    'by a byte': cut((length) => length - 1),
    'a byte too long': (objects, place) =>
      place.to === undefined ? edited((bytes) => Buffer.concat([bytes, Buffer.of(0)]))(objects, place) : undefined,
  },
  'one bit': {
    'of the first byte': flipped(0, 0),
    'at an eighth': flipped(1 / 8, 7),
    'in the middle': flipped(1 / 2, 3),
    'at nine tenths': flipped(9 / 10, 5),
    'of the last byte': flipped(1, 7),
  },
  swapped: { 'with another of its class': swapped },
  zeroed: { zeroed: edited((bytes) => bytes.fill(0)) },
  garbage: { garbage: edited((bytes) => new Uint8Array(noise(bytes.length, 77))) },
  'wrong name': { moved: renamed(true), copied: renamed(false) },
  'old version': { 'of its own': olderOwn, 'of a number before': olderNumber, 'one that is gone': cameBack },
}

/** The scene with that damage; undefined where it does not apply. */
export function damaged(all: Surroundings, place: Place, damage: Damage): Map<string, Uint8Array> | undefined {
  const { objects, leftovers } = all.scene
  // They keep prunes waiting: there only where they are what is damaged.
  const there = leftovers.has(place.key) ? new Map([...objects, ...leftovers]) : objects
  const copy = copyOf(there)
  return damage(copy, place, all) && copy
}

type Edit = (bytes: Buffer) => Uint8Array

/** Of a part: what is left of it is put in its place, so that what follows it moves. */
function edited(edit: Edit): (objects: Map<string, Uint8Array>, place: Place) => true {
  return (objects, { key, from, to }) => {
    const whole = Buffer.from(objects.get(key)!)
    const part = edit(Buffer.from(whole.subarray(from, to)))
    if (from !== undefined) objects.set(key, Buffer.concat([whole.subarray(0, from), part, whole.subarray(to)]))
    else if (part.length > 0) objects.set(key, part)
    else objects.delete(key)
    return true
  }
}

/** A pack that is cut in one of its parts ends there. */
function cut(length: (bytes: number) => number): Damage {
  return (objects, { key, from = 0, to }) => {
    const whole = objects.get(key)!
    objects.set(key, whole.slice(0, from + length((to ?? whole.length) - from)))
    return true
  }
}

function flipped(share: number, bit: number): Damage {
  return edited((bytes) => {
    bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * share))]! ^= 1 << bit
    return bytes
  })
}

/** Each is where the other was; where a class has one object only, the other is one of another repository. */
function swapped(objects: Map<string, Uint8Array>, place: Place, { stranger, places }: Surroundings): true | undefined {
  const other = places.find((each) => each.cls === place.cls && !isSame(each, place))
  if (other === undefined) {
    if (place.to !== undefined) return undefined
    const theirs = [...stranger.objects, ...stranger.leftovers].find(
      ([key, bytes]) => classOf(key, bytes) === place.cls,
    )
    if (theirs) objects.set(place.key, new Uint8Array(theirs[1]))
    return theirs && true
  }
  const [mine, theirs] = [partOf(objects, place), partOf(objects, other)]
  // The later one first, so that the places of the earlier one still hold where both are in one pack.
  const order = other.key === place.key && other.from! > place.from! ? [other, place] : [place, other]
  for (const each of order) edited(() => (each === place ? theirs : mine))(objects, each)
  return true
}

function isSame(a: Place, b: Place): boolean {
  return a.key === b.key && a.from === b.from
}

function partOf(objects: ReadonlyMap<string, Uint8Array>, { key, from, to }: Place): Buffer {
  return Buffer.from(objects.get(key)!.slice(from, to))
}

/** Another key of its class, which nobody has. */
function renamed(moved: boolean): Damage {
  return (objects, { key, to }) => {
    if (to !== undefined) return undefined
    objects.set(otherName(key, objects), objects.get(key)!)
    if (moved) objects.delete(key)
    return true
  }
}

function otherName(key: string, objects: ReadonlyMap<string, Uint8Array>): string {
  const [area, ...rest] = key.split('/')
  const last = rest.at(-1)!
  const done = last.endsWith('.done') ? '.done' : ''
  const number = /^\d{8}(\.done)?$/.test(last)
  if (number) {
    for (let n = Number(last.slice(0, 8)) + 1; ; n++) {
      const name = [area, ...rest.slice(0, -1), `${formatNumber(n)}${done}`].join('/')
      if (!objects.has(name)) return name
    }
  }
  const hex = /^[0-9a-f]+$/.test(last)
  const name = hex
    ? last.replace(/.{4}$/, (end) => (end === 'abcd' ? 'dcba' : 'abcd'))
    : last.replace(/.{10}$/, 'zzzzzzzzzz')
  return [area, ...rest.slice(0, -1), name].join('/')
}

/** Its own earlier bytes: of an object that was overwritten. */
function olderOwn(objects: Map<string, Uint8Array>, { key, to }: Place, { scene }: Surroundings): true | undefined {
  const versions = scene.history.get(key) ?? []
  if (to !== undefined || versions.length < 2) return undefined
  objects.set(key, new Uint8Array(versions[0]!))
  return true
}

/** What stands under the number before, in the place of the newest. */
function olderNumber(objects: Map<string, Uint8Array>, { key, to }: Place): true | undefined {
  const n = /(\d{8})((?:\.done)?)$/.exec(key)
  if (to !== undefined || !n || Number(n[1]) < 2) return undefined
  const before = objects.get(`${key.slice(0, n.index)}${formatNumber(Number(n[1]) - 1)}${n[2]}`)
  if (before) objects.set(key, new Uint8Array(before))
  return before && true
}

/** An object of its class that was deleted is there again; told by the first place of each class alone. */
function cameBack(objects: Map<string, Uint8Array>, place: Place, { scene, places }: Surroundings): true | undefined {
  if (place.to !== undefined || places.find(({ cls }) => cls === place.cls) !== place) return undefined
  const gone = [...scene.history].filter(([key, [bytes]]) => isGone(key, scene) && classOf(key, bytes!) === place.cls)
  for (const [key, versions] of gone) objects.set(key, new Uint8Array(versions.at(-1)!))
  return gone.length > 0 ? true : undefined
}

function isGone(key: string, { objects, leftovers }: Scene): boolean {
  return !objects.has(key) && !leftovers.has(key)
}

export type { ObjectClass }
