/** Facts of packs in portions that fit into one fragment. */
import type { PackFacts } from '../model/fragment.ts'

/** Of about so many bytes each. */
export function* portions(packs: readonly PackFacts[], maxBytes: number): Generator<PackFacts[]> {
  let portion: PackFacts[] = []
  let bytes = 0
  for (const pack of packs) {
    if (portion.length > 0 && bytes + pack.directory.length > maxBytes) {
      yield portion
      portion = []
      bytes = 0
    }
    portion.push(pack)
    bytes += pack.directory.length
  }
  if (portion.length > 0) yield portion
}
