/** Every class of object, with every damage, seen by every verb. */
import { DAMAGES, type DamageName, damaged, type Surroundings, WAYS } from './damages.ts'
import { COLUMNS, type Column, lookAt } from './look.ts'
import { CLASSES, type ObjectClass, type Place, placesOf } from './places.ts'
import { makeScene } from './scene.ts'

/** What each verb made of it, over all places and ways: outcomes, sorted. */
export type Row = Partial<Record<Column, string[]>>
/** By class and damage. */
export type Matrix = Partial<Record<ObjectClass, Partial<Record<DamageName, Row>>>>

/** Places of a class that speak for the others. */
const MAX_PLACES = 2

export interface Wrong {
  place: Place
  way: string
  error: unknown
}

export interface Fault {
  cls: ObjectClass
  damage: DamageName
}

export async function surroundings(): Promise<Surroundings> {
  const scene = await makeScene()
  return { scene, stranger: await makeScene(), places: await placesOf(scene) }
}

export interface RowOptions {
  /** Gets what must never be, which is also in the row as such. */
  wrong: Wrong[]
  /** For a sample. */
  maxPlaces?: number
  maxWays?: number
}

export async function rowOf(
  all: Surroundings,
  { cls, damage }: Fault,
  { wrong, maxPlaces = MAX_PLACES, maxWays = Number.POSITIVE_INFINITY }: RowOptions,
): Promise<{ row: Row; looks: number }> {
  const outcomes = new Map<Column, Set<string>>()
  const note = (column: Column, text: string): void => {
    outcomes.set(column, (outcomes.get(column) ?? new Set()).add(text))
  }
  let looks = 0
  for (const place of spread(
    all.places.filter((each) => each.cls === cls),
    maxPlaces,
  )) {
    for (const [way, damageIt] of Object.entries(WAYS[damage]).slice(0, maxWays)) {
      const objects = damaged(all, place, damageIt)
      if (!objects) continue
      looks++
      try {
        const outcome = await lookAt(all.scene, objects)
        for (const column of COLUMNS) {
          const text = outcome[column]
          for (const one of text?.split(' | ') ?? []) note(column, one)
        }
      } catch (error) {
        wrong.push({ place, way, error })
        note('open', 'WRONG')
      }
    }
  }
  const row = Object.fromEntries([...outcomes].map(([column, texts]) => [column, [...texts].sort()]))
  return { row, looks }
}

/** The first, the last, and what lies evenly between. */
function spread(places: readonly Place[], count: number): Place[] {
  if (places.length <= count) return [...places]
  if (count === 1) return places.slice(0, 1)
  return Array.from({ length: count }, (_, i) => places[Math.round((i * (places.length - 1)) / (count - 1))]!)
}

export function faultsOf(classes: readonly ObjectClass[] = CLASSES): Fault[] {
  return classes.flatMap((cls) => DAMAGES.map((damage) => ({ cls, damage })))
}
