/** Who takes part, and how much there is of everything. */
import type { ActorPlan } from './keeper.ts'
import type { SoakOptions } from './soak.ts'

type Scale = Pick<SoakOptions, 'size' | 'hurry' | 'keep'>

/** For minutes. */
export const LONG: Scale = {
  size: { files: 160, fileBytes: 300_000, changed: 40, largeBytes: 60_000_000 },
  hurry: 20,
  keep: 12,
}

/** For seconds. */
export const SHORT: Scale = {
  size: { files: 40, fileBytes: 60_000, changed: 12, largeBytes: 6_000_000 },
  hurry: 60,
  keep: 3,
}

/** Writers, one who restores and one who prunes. */
export function actorsOf(writers: number): ActorPlan[] {
  return [
    ...Array.from({ length: writers }, (_, i) => ({ role: 'backup' as const, name: `writer-${i + 1}`, pieces: 5 })),
    { role: 'restore', name: 'restorer', pieces: 12 },
    { role: 'prune', name: 'pruner', pieces: 3 },
  ]
}
