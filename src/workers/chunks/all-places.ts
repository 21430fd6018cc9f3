/** Where a chunk is, for those who found nothing good at the first place. */
import type { ChunkIndex, Location } from './chunk-index.ts'

/** All places of a chunk in packs that are not absent. */
export function allPlaces({ tables }: ChunkIndex, id: Uint8Array): Location[] {
  const places: Location[] = []
  for (const [number, table] of tables.entries()) {
    for (let entry = table.findLive(id); entry >= 0; entry = table.findLiveNext(id))
      places.push(table.location(entry, number))
  }
  return places
}
