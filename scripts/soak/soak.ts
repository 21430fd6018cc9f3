/**
 * Several processes work on one repository at once, each killed at random moments and started again; at the end all that
 * was committed has to be there, exactly. Chance comes from the seed, but how the processes meet does not: the same seed
 * makes the same trees and lives, not the same run.
 */
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Checked, checkAll } from './check.ts'
import { type Figures, figuresOf } from './figures.ts'
import type { Ground } from './ground.ts'
import { readJournal } from './journal.ts'
import { type ActorPlan, Keeper } from './keeper.ts'
import type { TreeSize } from './tree.ts'

export interface SoakOptions {
  readonly ground: Ground
  /** An empty folder for trees, journals and what is restored. */
  readonly folder: string
  readonly seed: number
  readonly actors: readonly ActorPlan[]
  readonly size: TreeSize
  readonly hurry: number
  readonly keep: number
  /** It goes on for so long, and until there were so many kills and restores. */
  readonly atLeast: { readonly ms: number; readonly kills: number; readonly restores: number }
  /** It ends then, whatever there was. */
  readonly atMostMs: number
  readonly say: (text: string) => void
  /** Ends it without a result. */
  readonly signal?: AbortSignal
}

export interface SoakResult {
  readonly figures: Figures
  readonly checked: Checked
  /** What must not be, in words. Empty: all is well. */
  readonly problems: readonly string[]
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { actors, folder, seed: soakSeed, ground, size, hurry, keep } = options
  mkdirSync(folder, { recursive: true })
  const keepers = actors.map((plan) => new Keeper(plan, { folder, soakSeed, place: ground.place, size, hurry, keep }))
  const began = performance.now()
  const failures: string[] = []
  try {
    await runAll(keepers, options, failures)
  } finally {
    for (const keeper of keepers) keeper.end()
  }
  const ranMs = performance.now() - began
  const journals = new Map(actors.map(({ name }) => [name, readJournal(folder, name)]))
  options.say('all have stopped; now everything is looked at')
  const checked = await checkAll(options, journals)
  const figures = figuresOf({ journals, actors, keepers, ranMs, listed: checked.listed })
  return { figures, checked, problems: [...failures, ...figures.problems, ...checked.problems] }
}

/** Until there was enough of everything, or one of them has failed. */
async function runAll(keepers: readonly Keeper[], options: SoakOptions, failures: string[]): Promise<void> {
  const over = new AbortController()
  const fail = (error: unknown): void => {
    failures.push(error instanceof Error ? error.message : String(error))
    over.abort()
  }
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([over.signal, options.signal])
  const running = keepers.map((keeper) => keeper.run().catch(fail))
  const began = performance.now()
  for (let said = 0; !signal.aborted; ) {
    await sleep(100, undefined, { signal }).catch(() => {})
    const ms = performance.now() - began
    if (ms > options.atMostMs || (ms > options.atLeast.ms && hadEnough(keepers, options))) break
    if (ms - said < SAY_EVERY_MS) continue
    said = ms
    options.say(`${Math.round(ms / 1000)} s, ${killsOf(keepers)} kills`)
  }
  options.signal?.throwIfAborted()
  await Promise.all(keepers.map((keeper) => keeper.stop()))
  await Promise.all(running)
}

const SAY_EVERY_MS = 15_000

function hadEnough(keepers: readonly Keeper[], { folder, atLeast, actors }: SoakOptions): boolean {
  if (killsOf(keepers) < atLeast.kills) return false
  const restorers = actors.filter(({ role }) => role === 'restore')
  const restored = restorers.flatMap(({ name }) => readJournal(folder, name)).filter(({ what }) => what === 'restored')
  return restored.length >= atLeast.restores
}

function killsOf(keepers: readonly Keeper[]): number {
  return keepers.reduce((sum, { kills }) => sum + kills, 0)
}
