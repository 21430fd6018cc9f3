/**
 * Every schedule of some actors, up to so many preemptions and faults. Schedules are run from the start each time; where
 * two of them come to the same state (equal objects, and every actor has seen the same), only one goes on.
 */
import type { Actor, Body, Choice, Fate } from './scheduler.ts'
import { Scheduler } from './scheduler.ts'

export interface Scene {
  objects: ReadonlyMap<string, Uint8Array>
  actors: Readonly<Record<string, Body>>
  /** Listings, and deletions of several keys, are a step for each key. */
  finely?: boolean
  /** What is wrong with the objects as they are; asked after each change. */
  check(objects: ReadonlyMap<string, Uint8Array>): string[]
  /** The same at the end, when all actors are over; it may go on with the objects by itself. */
  finish?(objects: Map<string, Uint8Array>): Promise<string[]>
}

export interface Bounds {
  /** How often an actor that could go on has to wait for another. */
  preemptions: number
  /** Calls whose reply is lost or late, and actors that die. */
  faults: number
  /** Who may be made to wait. Default: everybody. */
  preempted?: readonly string[]
  fates?: readonly Fate[]
  /** Whose calls they strike. Default: everybody's. */
  victims?: readonly string[]
  /** Which branch is next: the last one, or any, drawn from a seed. The same schedules in the end. */
  seed?: number
  /** Stop, unfinished, after so many milliseconds; on a busy machine not before some schedules. */
  maxMs?: number
}

export interface Explored {
  schedules: number
  states: number
  steps: number
  /** False: `maxMs` was over first. */
  complete: boolean
  loss?: { what: string[]; schedule: string[] }
}

interface Left {
  preemptions: number
  faults: number
}

interface Branch {
  path: Choice[]
  left: Left
}

const LEAST_SCHEDULES = 20
const ALL_FATES: readonly Fate[] = ['lost', 'late', 'crash']

export async function explore(scene: Scene, bounds: Bounds): Promise<Explored> {
  return new Explorer(scene, bounds).run()
}

class Explorer {
  private readonly scene: Scene
  private readonly bounds: Bounds
  private readonly branches: Branch[]
  private readonly seen = new Map<string, number[]>()
  private readonly finished = new Set<string>()
  private readonly endMs: number
  private random: number
  private readonly found: Explored = { schedules: 0, states: 0, steps: 0, complete: true }

  constructor(scene: Scene, bounds: Bounds) {
    this.scene = scene
    this.bounds = bounds
    this.random = bounds.seed ?? 0
    this.branches = [{ path: [], left: { preemptions: bounds.preemptions, faults: bounds.faults } }]
    this.endMs = performance.now() + (bounds.maxMs ?? Number.POSITIVE_INFINITY)
  }

  async run(): Promise<Explored> {
    const { found } = this
    while (this.branches.length > 0 && found.loss === undefined) {
      if (performance.now() > this.endMs && found.schedules > LEAST_SCHEDULES) return { ...found, complete: false }
      await this.schedule(this.nextBranch())
      found.schedules++
    }
    return found
  }

  private nextBranch(): Branch {
    const { branches } = this
    if (this.bounds.seed === undefined) return branches.pop()!
    this.random = (Math.imul(this.random, 1664525) + 1013904223) >>> 0
    const at = Math.floor((this.random / 4294967296) * branches.length)
    const last = branches.length - 1
    ;[branches[at], branches[last]] = [branches[last]!, branches[at]!]
    return branches.pop()!
  }

  /** One schedule: the path of the branch, then straight on. What else could be done on the way becomes branches. */
  private async schedule({ path, left }: Branch): Promise<void> {
    const scheduler = new Scheduler(this.scene.objects, this.scene.finely)
    for (const [name, body] of Object.entries(this.scene.actors)) await scheduler.start(name, body)
    const log: string[] = []
    const taken: Choice[] = []
    for (const choice of path) if (!(await this.step(scheduler, choice, taken, log))) return
    while (scheduler.enabled.length > 0) {
      if (this.isKnown(scheduler, taken.at(-1), left)) return
      const next = this.branchOff(scheduler, taken, left)
      if (!(await this.step(scheduler, next, taken, log))) return
    }
    await this.finish(scheduler, log)
  }

  /** False: something is lost. */
  private async step(scheduler: Scheduler, choice: Choice, taken: Choice[], log: string[]): Promise<boolean> {
    const actor = scheduler.actors[choice.actor]!
    const changes = actor.pending!.mutates && choice.fate !== 'late' && choice.fate !== 'crash'
    log.push(`${scheduler.describePending(actor)}${choice.fate === 'done' ? '' : `  (${choice.fate})`}`)
    await scheduler.take(choice)
    taken.push(choice)
    this.found.steps++
    return !changes || this.judge(this.scene.check(scheduler.objects), log)
  }

  private async finish(scheduler: Scheduler, log: string[]): Promise<void> {
    const { hash } = scheduler
    if (this.finished.has(hash)) return
    this.finished.add(hash)
    if (this.scene.finish) this.judge(await this.scene.finish(scheduler.objects), [...log, 'and what follows'])
  }

  private judge(wrong: string[], log: readonly string[]): boolean {
    if (wrong.length > 0) this.found.loss = { what: wrong, schedule: [...log] }
    return wrong.length === 0
  }

  /** True if this state has been met with as much left to explore from it. */
  private isKnown(scheduler: Scheduler, last: Choice | undefined, { preemptions, faults }: Left): boolean {
    const running = last && scheduler.actors[last.actor]?.pending ? last.actor : -1
    const key = `${scheduler.hash}/${running}`
    const most = this.seen.get(key) ?? []
    for (let f = faults; f < most.length; f++) if ((most[f] ?? -1) >= preemptions) return true
    if (most.length === 0) this.found.states++
    most[faults] = Math.max(most[faults] ?? -1, preemptions)
    this.seen.set(key, most)
    return false
  }

  /** The step to take now, after all other possible ones have been put down as branches. */
  private branchOff(scheduler: Scheduler, taken: readonly Choice[], left: Left): Choice {
    const { enabled } = scheduler
    const last = taken.at(-1)
    const lastActor = last === undefined ? undefined : scheduler.actors[last.actor]
    const goesOn = lastActor?.pending !== undefined && !lastActor.pending.pauses
    const mayWait = !goesOn || (this.bounds.preempted?.includes(lastActor.name) ?? true)
    const straight = lastActor?.pending && goesOn ? last!.actor : enabled[0]!
    for (const actor of enabled) {
      const preemptions = left.preemptions - (goesOn && actor !== last!.actor ? 1 : 0)
      if (preemptions < 0 || (actor !== straight && !mayWait)) continue
      if (actor !== straight) this.add(taken, { actor, fate: 'done' }, { ...left, preemptions })
      if (left.faults === 0) continue
      for (const fate of this.fatesOf(scheduler.actors[actor]!)) {
        this.add(taken, { actor, fate }, { preemptions, faults: left.faults - 1 })
      }
    }
    return { actor: straight, fate: 'done' }
  }

  private fatesOf({ name, pending, isGhost }: Actor): readonly Fate[] {
    const { fates = ALL_FATES, victims = [name] } = this.bounds
    if (isGhost || pending!.pauses || !victims.includes(name)) return []
    return pending!.mutates ? fates : fates.filter((fate) => fate === 'crash')
  }

  private add(taken: readonly Choice[], choice: Choice, left: Left): void {
    this.branches.push({ path: [...taken, choice], left })
  }
}
