/** The middle of a prune: others are told, and waited for; then it is decided what dies. */
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { packKey } from '../keys-layout.ts'
import { cleanupSignal } from '../runs.ts'
import { announceCandidates, decideGc, type GcState } from './gc.ts'
import { mergeDead } from './merge.ts'
import { ALL_RULES, type PruneRules } from './rules.ts'
import { incomplete, isMissing, lostOf, type Survey } from './survey.ts'
import { tidyGc } from './tidy.ts'
import type { PruneOptions } from './types.ts'
import { waitForRuns } from './wait.ts'

export interface Decision {
  dead: ReadonlySet<string>
  /** Candidates that live on. */
  rescued: readonly string[]
  waitingFor?: readonly string[]
}

/** Another prune was faster, or has given this one up: it stops, and deletes nothing. */
function taken({ dead }: GcState): Decision {
  return { dead, rescued: [], waitingFor: [] }
}

export class PruneDecision {
  private readonly options: PruneOptions
  private readonly rules: PruneRules
  private readonly expiry: Date
  /** Set while `gc/<n>` is this one's and has no outcome. */
  private open: number | undefined

  constructor(options: PruneOptions, expiry: Date) {
    this.options = options
    this.rules = options.rules ?? ALL_RULES
    this.expiry = expiry
  }

  /** Rules 7 to 10: from here on others know, until it is decided what is dead. */
  async decide(gc: GcState, condemned: Set<string>, found: Survey): Promise<Decision> {
    const { target, records, onPhase, clock, graceMs, signal } = this.options
    if (condemned.size === 0) return { dead: gc.dead, rescued: [] }
    onPhase('announce')
    const n = await this.announce(gc, condemned)
    if (n === undefined) return taken(gc)
    onPhase('wait')
    const waitingFor = await waitForRuns({ ...this.options, self: this.options.runId })
    if (waitingFor.length > 0) {
      await this.giveUp(gc)
      return { dead: gc.dead, rescued: [], waitingFor }
    }
    if (!target.traits.createOnly) await clock.sleep(graceMs, { signal })
    const rescued = this.rules.marksAgain ? await this.markAgain(condemned, found) : []
    const dead = new Set(this.rules.keepsDeadList ? gc.dead : [])
    const saved = new Set(rescued)
    for (const name of condemned) if (!saved.has(name)) dead.add(name)
    if (!this.rules.decidesFirst) await mergeDead(this.options, dead)
    onPhase('decide')
    throwIfAborted(signal)
    const isDecided = await decideGc(records, 'done', dead, this.author(n))
    this.open = undefined
    if (isDecided) return { dead, rescued }
    return this.rules.stopsWhenTaken ? taken(gc) : this.decide({ ...gc, n }, condemned, found)
  }

  /** Undefined: another prune was faster. */
  private async announce(gc: GcState, condemned: ReadonlySet<string>): Promise<number | undefined> {
    for (let n = gc.n + 1; ; n++) {
      throwIfAborted(this.options.signal)
      // Also while it is not known whether it is there.
      this.open = n
      if (await announceCandidates(this.options.records, [...condemned], this.author(n))) return n
      this.open = undefined
      if (this.rules.stopsWhenTaken) return undefined
    }
  }

  /** Rule 9: snapshots, then the index, and only those that were not there before. */
  private async markAgain(condemned: ReadonlySet<string>, found: Survey): Promise<string[]> {
    const { signal, onPhase } = this.options
    onPhase('mark-again')
    const { contents, listing } = found
    const known = new Set([...found.roots.snapshots, ...found.roots.trash].map(({ id }) => id))
    const roots = await listing.list(this.expiry, { signal })
    const all = [...roots.snapshots, ...roots.trash.map(({ snapshot }) => snapshot)]
    await this.loadAgain(found)
    try {
      await contents.walk(all.filter(({ id }) => !known.has(id)))
    } catch (error) {
      if (!isMissing(error)) throw error
      await this.markAnew(all, found)
    }
    return await contents.rescue(condemned)
  }

  /** Something was nowhere, and fragments may have been merged meanwhile. Marks of a walk that failed are worth nothing. */
  private async markAnew(roots: readonly SnapshotRecord[], found: Survey): Promise<void> {
    found.contents.forget()
    await this.loadAgain(found)
    try {
      await found.contents.walk(roots)
    } catch (error) {
      throw isMissing(error) ? incomplete(error) : error
    }
  }

  /** Packs that have come since count only if they are there. */
  private async loadAgain({ contents, packs }: Survey): Promise<void> {
    const { target, signal } = this.options
    await contents.load()
    const there = new Map(packs)
    const unknown = [...contents.packs().keys()].filter((name) => !packs.has(name))
    const look = async (name: string): Promise<[string, number | undefined]> => [
      name,
      (await target.stat(packKey(name), { signal }))?.size,
    ]
    for await (const [name, bytes] of mapBounded(unknown, target.traits.maxConcurrency, look, signal)) {
      if (bytes !== undefined) there.set(name, bytes)
    }
    contents.index.markAbsent(lostOf(contents.packs().values(), there))
  }

  /** So that the next one need not wait until this one counts as dead. If the outcome is there already, it stands. */
  async giveUp({ dead }: GcState): Promise<void> {
    if (this.open === undefined) return
    const author = { ...this.author(this.open), signal: cleanupSignal() }
    this.open = undefined
    await decideGc(this.options.records, 'void', dead, author).catch(() => undefined)
    await tidyGc({ ...this.options, self: this.options.runId, signal: cleanupSignal() }).catch(() => undefined)
  }

  private author(n: number): { n: number; run: string; at: Date; signal: AbortSignal } {
    const { runId: run, clock, signal } = this.options
    return { n, run, at: clock.now(), signal }
  }
}
