/**
 * The protocol of writers and prunes, as the code that ships plays it: every schedule to a stated depth loses nothing, and
 * each rule that is left out loses something. HOLDFAST_PRUNE_DEPTH=<n> goes n preemptions deeper, without a limit of time.
 */
import { describe, expect, it } from 'vitest'
import { explore } from './explorer.ts'
import { type ActorName, type CONTENTS, scene } from './scenes.ts'
import { VARIANTS } from './variants.ts'
import { World } from './world.ts'

const DEEPER = Number(process.env.HOLDFAST_PRUNE_DEPTH ?? 0)
const TEST_MS = DEEPER > 0 ? 3_600_000 : 60_000

interface Depth {
  actors: readonly ActorName[]
  preemptions: number
  faults: number
  contents?: keyof typeof CONTENTS
  /** Listings, and deletions of several keys, are one step each; else a step for each key. */
  coarse?: true
  /** Where all of it would take too long for every day: as far as it comes. */
  maxMs?: number
}

const DEPTHS: readonly Depth[] = [
  { actors: ['writer1', 'prune1', 'forget'], preemptions: 1, faults: 0 },
  { actors: ['writer1', 'prune1'], preemptions: 0, faults: 1 },
  { actors: ['writer1', 'prune1'], preemptions: 2, faults: 0, contents: 'whole', coarse: true },
  { actors: ['merge1', 'merge2', 'oldWriter'], preemptions: 1, faults: 0 },
  { actors: ['prune1', 'prune2', 'forget'], preemptions: 1, faults: 0, contents: 'doubled' },
  { actors: ['undo', 'prune1'], preemptions: 1, faults: 1, contents: 'forgotten', maxMs: 600 },
  { actors: ['lateCopy', 'undo', 'prune1'], preemptions: 1, faults: 0, contents: 'late', maxMs: 600 },
  { actors: ['erase', 'prune1', 'prune2'], preemptions: 1, faults: 1, contents: 'common', maxMs: 800 },
  { actors: ['erase', 'forget'], preemptions: 2, faults: 1, contents: 'common', maxMs: 600 },
  { actors: ['erase', 'lateCopy', 'undo'], preemptions: 1, faults: 1, contents: 'common', maxMs: 600 },
  { actors: ['repair', 'prune1', 'writer2'], preemptions: 1, faults: 1, contents: 'whole', maxMs: 1000 },
  { actors: ['writer1', 'prune1', 'forget'], preemptions: 1, faults: 1, contents: 'whole', maxMs: 800 },
  { actors: ['oldWriter', 'prune1', 'prune2', 'merge1'], preemptions: 1, faults: 0, contents: 'whole', maxMs: 800 },
  { actors: ['writer1', 'writer2', 'prune1', 'forget', 'merge1'], preemptions: 1, faults: 0, maxMs: 1000 },
  { actors: ['writer1', 'writer2', 'prune1', 'prune2', 'forget'], preemptions: 1, faults: 1, maxMs: 1000 },
]

describe('the protocol', () => {
  const counted: string[] = []

  for (const { actors, preemptions, faults, contents, coarse, maxMs } of DEPTHS) {
    it(`loses nothing: ${actors.join(', ')}; ${preemptions} preemptions, ${faults} faults`, {
      timeout: TEST_MS,
    }, async () => {
      const world = await World.create()
      const bounds = {
        preemptions: preemptions + DEEPER,
        faults,
        ...(maxMs !== undefined && DEEPER === 0 && { maxMs }),
      }
      const finely = coarse === undefined || DEEPER > 0
      const found = await explore({ ...(await scene(world, actors, {}, contents)), finely }, bounds)
      expect(found.loss).toBeUndefined()
      expect(found.schedules).toBeGreaterThan(20)
      if (maxMs === undefined) expect(found.complete).toBe(true)
      const { schedules, states, complete } = found
      counted.push(`${actors.join()}: ${schedules} schedules, ${states} states${complete ? ', all of them' : ''}`)
    })
  }

  it('says how much was explored', ({ annotate }) => annotate(counted.join('\n')))
})

describe('each rule is needed: without it a snapshot loses a chunk, or what was erased comes back', () => {
  for (const { what, actors, rules, bounds, contents, finely = false, finds = /^snapshots\/[\w-]+: \w/ } of VARIANTS) {
    it(what, { timeout: TEST_MS }, async () => {
      const world = await World.create()
      const { loss } = await explore({ ...(await scene(world, actors, rules, contents)), finely }, bounds)
      expect(loss?.what.join()).toMatch(finds)
    })
  }

  it('a merger that wakes does no harm by itself, nor do unread dead lists without one', async () => {
    const world = await World.create()
    const bounds = { preemptions: 1, faults: 0 }
    expect((await explore(await scene(world, ['merge1', 'prune1']), bounds)).loss).toBeUndefined()
    const deaf = { writer: { obeysDead: false } }
    expect((await explore(await scene(world, ['prune1'], deaf), bounds)).loss).toBeUndefined()
  })
})
