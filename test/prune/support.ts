/** Engines on a memory target, and trees that change a little from one backup to the next. */
import { join } from 'node:path'
import type { BackupEngine, PlanPruneOptions, PruneOptions, PruneResult } from '../../src/index.ts'
import { file, type MemoryTarget, noise } from '../faults/support.ts'

/** Plans and prunes; `now` frees what was just forgotten. */
export async function pruneNow(
  engine: BackupEngine,
  plan: PlanPruneOptions = {},
  options: PruneOptions = {},
): Promise<PruneResult> {
  const made = await engine.planPrune({ keepDeletedMs: 0, ...plan })
  return await engine.prune(made, { confirm: made.digest, ...options })
}

export async function forgetAll(engine: BackupEngine, snapshots: readonly string[]): Promise<string[]> {
  const plan = await engine.planForget({ snapshots })
  const { forgotten } = await engine.forget(plan, { confirm: plan.digest })
  return forgotten
}

/** Some files that all generations share, and some of this one alone. */
export function makeGeneration(root: string, n: number, bytes = 300_000): void {
  file(join(root, 'shared'), noise(bytes, 1))
  for (let i = 0; i < 6; i++) file(join(root, `part-${i}`), noise(bytes / 6, i < n ? 1000 * n + i : i))
  file(join(root, 'notes', `of-${n}`), `generation ${n}\n`.repeat(40))
}

export function storedBytes({ objects }: MemoryTarget, prefix = 'packs/'): number {
  let bytes = 0
  for (const [key, body] of objects) if (key.startsWith(prefix)) bytes += body.length
  return bytes
}

export function keysOfPacks({ objects }: MemoryTarget): string[] {
  return [...objects.keys()].filter((key) => key.startsWith('packs/'))
}
