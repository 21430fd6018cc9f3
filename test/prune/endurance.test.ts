/**
 * Thirty days of four hosts on one repository: backups, forgets, prunes and merges that overlap in any order, clocks that
 * jump, replies that are lost or late, processes that die. Drawn by chance from a seed, so it can be played again.
 */
import { expect, it } from 'vitest'
import type { PruneRules } from '../../src/repository/prune/rules.ts'
import type { Target } from '../../src/targets/target.ts'
import type { Clock } from '../../src/util/clock.ts'
import { deadPacks, litter, lostChunks } from './oracle.ts'
import { hastyClock, targetOver } from './plain.ts'
import { type Fate, Scheduler } from './scheduler.ts'
import { World } from './world.ts'

const DAY_MS = 86_400_000
const DAYS = 30
const HOSTS = 4
const START = Date.parse('2026-06-01T00:00:00Z')

function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
}

class Month {
  readonly scheduler = new Scheduler(new Map())
  readonly counts = { backups: 0, forgets: 0, prunes: 0, merges: 0, fenced: 0, faults: 0 }
  readonly ends: Record<string, number> = {}
  private readonly world: World
  private readonly rules: Partial<PruneRules>
  private readonly random: (below: number) => number
  /** Of each host: how wrong its clock is. */
  private readonly offsets = Array.from({ length: HOSTS }, () => 0)
  private day = 0
  private names = 0

  constructor(world: World, seed: number, rules: Partial<PruneRules> = {}) {
    this.world = world
    this.rules = rules
    this.random = randomFrom(seed)
  }

  /** Packs that died. */
  dead(): number {
    const { objects } = this.scheduler
    return deadPacks(this.world, objects).size
  }

  async play(): Promise<void> {
    for (this.day = 0; this.day < DAYS; this.day++) {
      if (this.random(3) === 0) this.offsets[this.random(HOSTS)] = (this.random(9) - 4) * 6 * 3_600_000
      for (let hour = 0; hour < 24; hour += 4) {
        for (let host = 0; host < HOSTS; host++) if (this.random(3) > 0) await this.begin(host)
        // What is not done by then goes on later, or never.
        await this.steps(60 + this.random(160))
      }
    }
    while (this.scheduler.enabled.length > 0) await this.steps(1)
  }

  private async begin(host: number): Promise<void> {
    const kind = this.random(10)
    const id = `h${host}n${++this.names}`
    if (kind < 5)
      return this.start(id, host, 'backups', (target, clock) =>
        this.world.write(target, clock, this.wants(host), undefined, `${this.stamp()}-${id}`),
      )
    if (kind < 7) return this.forget(id, host)
    if (kind < 9) {
      const over = { keepDeletedMs: this.random(2) * DAY_MS, minDeadShare: 0.3 }
      return this.start(
        id,
        host,
        'prunes',
        async (target, clock) => void (await this.world.prune(target, clock, this.rules, id, over)),
      )
    }
    return this.start(id, host, 'merges', (target) => this.world.merge(target))
  }

  /** As ids of snapshots begin. */
  private stamp(): string {
    return new Date(START + this.day * DAY_MS)
      .toISOString()
      .replace(/[-:.Z]/g, '')
      .toLowerCase()
  }

  /** A few things that change from day to day; hosts share most of them. */
  private wants(host: number): string[] {
    const wanted = Array.from({ length: 4 }, () => `c${Math.floor(this.day / 2) + this.random(6)}`)
    return [...new Set([...wanted, `host${host}`])]
  }

  private async forget(id: string, host: number): Promise<void> {
    const there = [...this.scheduler.objects.keys()].filter((key) => key.startsWith('snapshots/'))
    const chosen = there[this.random(there.length)]?.slice('snapshots/'.length)
    if (chosen) await this.start(id, host, 'forgets', (target, clock) => this.world.forget(target, clock, chosen))
  }

  private async start(
    id: string,
    host: number,
    kind: 'backups' | 'forgets' | 'prunes' | 'merges',
    body: (target: Target, clock: Clock) => Promise<void>,
  ): Promise<void> {
    this.counts[kind]++
    const day = this.day
    const now = (): Date => new Date(START + day * DAY_MS + this.offsets[host]!)
    await this.scheduler.start(id, (target, clock) => body(target, { ...clock, now }))
  }

  private async steps(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { enabled, actors, objects } = this.scheduler
      if (enabled.length === 0) return
      const actor = enabled[this.random(enabled.length)]!
      const { pending, isGhost } = actors[actor]!
      const fate = isGhost || pending!.pauses ? 'done' : this.fate(pending!.mutates)
      const changes = pending!.mutates
      await this.scheduler.take({ actor, fate })
      if (changes) expect(lostChunks(this.world, objects), `day ${this.day}`).toEqual([])
    }
  }

  private fate(mutates: boolean): Fate {
    const drawn = this.random(150)
    if (drawn > 2) return 'done'
    this.counts.faults++
    if (drawn === 0 || !mutates) return 'crash'
    return drawn === 1 ? 'lost' : 'late'
  }
}

for (const seed of [1, 2, 3]) {
  it(`a month loses nothing, and a last prune leaves no litter (seed ${seed})`, async ({ annotate }) => {
    const world = await World.create()
    const month = new Month(world, seed)
    await month.play()
    const { objects, actors } = month.scheduler
    for (const { state, failure } of actors) {
      const end = state === 'crashed' ? state : failure === undefined ? 'ended' : (failure as { code: string }).code
      month.ends[end] = (month.ends[end] ?? 0) + 1
    }
    month.counts.fenced = actors.filter(({ failure }) => (failure as { code?: string })?.code === 'RUN_FENCED').length
    await annotate(JSON.stringify({ ...month.counts, ...month.ends, dead: month.dead() }))
    expect(month.counts.prunes).toBeGreaterThan(60)
    expect(month.counts.faults).toBeGreaterThan(10)
    const clock = hastyClock(START + (DAYS + 3) * DAY_MS)
    const target = targetOver(objects)
    await world.write(target, clock, ['c1', 'c20', 'host1'], undefined, 'last')
    await world.forget(target, clock, 'last')
    await world.prune(target, clock)
    await world.prune(target, clock)
    expect(lostChunks(world, objects)).toEqual([])
    expect(litter(world, objects)).toEqual([])
    expect([...objects.keys()].filter((key) => key.startsWith('runs/'))).toEqual([])
  }, 60_000)
}

it('notices when a rule is left out', async () => {
  const world = await World.create()
  await expect(new Month(world, 1, { marksAgain: false }).play()).rejects.toThrow(/^day \d+: expected \[/)
})
