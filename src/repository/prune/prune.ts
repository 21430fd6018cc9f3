/**
 * A prune from end to end: docs/format.md, "Protocol of prunes", says why in this order. When in doubt whether something
 * may be deleted, it is kept.
 */
import type { SnapshotRecord } from '../../model/snapshot.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Clock } from '../../util/clock.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { gcDoneKey, packKey, trashKey } from '../keys-layout.ts'
import { announceRun, cleanupSignal, leaveRun, type Presence } from '../runs.ts'
import { type CopyResult, copyNeeded } from './copy.ts'
import { announceCandidates, decideGc, type GcState, readGc } from './gc.ts'
import { mergeFragments } from './merge.ts'
import { ALL_RULES, type PruneRules } from './rules.ts'
import { incomplete, isMissing, lostOf, type Survey, type SurveyOptions, survey } from './survey.ts'
import { deletePacks, tidyGc, tidyRuns } from './tidy.ts'
import { ownerIsDead, PRUNE_VERB, waitForRuns } from './wait.ts'

export type PrunePhase =
  | 'take-over'
  | 'list'
  | 'mark'
  | 'copy'
  | 'announce'
  | 'wait'
  | 'mark-again'
  | 'decide'
  | 'merge'
  | 'delete'

export interface PruneOptions extends Omit<SurveyOptions, 'dead' | 'expiry' | 'onPhase'>, CallSignal {
  signal: AbortSignal
  clock: Clock
  host: string
  /** Of the protocol; new for each prune. */
  runId: string
  keepDeletedMs: number
  /** A run whose object does not change for so long is given up. */
  stillMs: number
  pollMs: number
  /** Waited for in addition where the target cannot create once; 0 where it can. */
  graceMs: number
  waitMs?: number | undefined
  heartbeatMs?: number
  packBytes?: number
  /** For tests only. */
  rules?: PruneRules
  /** What is to be done is known; nothing has been changed. Throws if that is not what was asked for. */
  onSurvey?(found: Survey, gc: GcState): void
  onPhase(phase: PrunePhase): void
  onWait?(runs: readonly string[]): void
  onCopied?(bytes: number): void
  onDeleted?(packs: number): void
}

export interface PruneOutcome {
  /** pending: nothing was decided, since others are still at work. */
  readonly state: 'done' | 'pending'
  /** Runs that were waited for in vain. */
  readonly waitingFor: readonly string[]
  readonly deleted: { packs: number; bytes: number }
  /** Into new packs. */
  readonly copied: { packs: number; storedBytes: number }
  /** Candidates that were needed after all. */
  readonly rescued: number
  readonly damaged: CopyResult['damaged']
}

export async function prune(options: PruneOptions): Promise<PruneOutcome> {
  const { records, runId } = options
  const presence = await announceRun(records, { ...options, verb: PRUNE_VERB })
  try {
    return await new Prune(options, presence).run()
  } finally {
    await leaveRun(records, runId, presence)
  }
}

const NOTHING = { packs: 0, bytes: 0 }

class Prune {
  private readonly options: PruneOptions
  private readonly rules: PruneRules
  private readonly startedAt: Date
  /** Set while `gc/<n>` is this one's and has no outcome. */
  private open: number | undefined

  constructor(options: PruneOptions, { startedAt }: Presence) {
    this.options = options
    this.rules = options.rules ?? ALL_RULES
    this.startedAt = startedAt
  }

  async run(): Promise<PruneOutcome> {
    const gc = await this.takeTurn()
    if ('owner' in gc && gc.owner !== undefined) return pending([gc.owner])
    try {
      return await this.prune(gc)
    } catch (error) {
      await this.giveUp(gc)
      throw error
    }
  }

  /** Rule 6. An open prune whose owner is dead gets an outcome: void. */
  private async takeTurn(): Promise<GcState> {
    const { records, signal, onPhase } = this.options
    for (;;) {
      const gc = await readGc(records, { signal })
      const { n, owner } = gc
      if (owner === undefined) return gc
      onPhase('take-over')
      const isOpen = async (): Promise<boolean> => (await records.target.stat(gcDoneKey(n), { signal })) === undefined
      const isDead = await ownerIsDead(owner, isOpen, this.options)
      if (!isDead && (await isOpen())) return gc
      if (isDead) await decideGc(records, 'void', gc.dead, this.author(n))
    }
  }

  private async prune(gc: GcState): Promise<PruneOutcome> {
    const found = await this.survey(gc)
    const { contents } = found
    let failure: unknown
    try {
      this.options.onSurvey?.(found, gc)
      await this.dropExpired(found)
      const copy = await this.copy(found)
      const condemned = this.candidates(found, copy)
      const decided = await this.decide(gc, condemned, found)
      if (decided.waitingFor !== undefined) return { ...pending(decided.waitingFor), ...copied(copy) }
      const rescued = decided.rescued.length
      const deleted = await this.tidy(decided.dead, found, decided.rescued, condemned)
      return { state: 'done', waitingFor: [], deleted, rescued, ...copied(copy) }
    } catch (error) {
      failure = error
      throw error
    } finally {
      await contents.close(failure)
    }
  }

  private survey({ dead }: GcState): Promise<Survey> {
    return survey({ ...this.options, dead, expiry: this.expiry() })
  }

  private expiry(): Date {
    return new Date(this.startedAt.getTime() - this.options.keepDeletedMs)
  }

  /** Before anything dies: what is left of a forgotten snapshot must never be a root again. */
  private async dropExpired({ roots }: Survey): Promise<void> {
    const { records, signal } = this.options
    throwIfAborted(signal)
    if (roots.expired.length > 0) await records.target.delete(roots.expired.map(trashKey), { signal })
  }

  private async copy({ contents, rewrite }: Survey): Promise<CopyResult> {
    const { options } = this
    if (rewrite.length > 0) options.onPhase('copy')
    return copyNeeded(rewrite, contents, { ...options, onCopied: (bytes) => options.onCopied?.(bytes) })
  }

  /** Where a pack turned out to be damaged, none that may hold something of it in a second place. */
  private candidates({ unneeded, unlisted }: Survey, { copied, damaged }: CopyResult): Set<string> {
    const packs = [...unneeded, ...copied].filter(({ isDoubled }) => damaged.length === 0 || !isDoubled)
    const named = packs.map(({ name }) => name)
    return new Set(this.rules.namesUnlisted ? [...named, ...unlisted.map(({ name }) => name)] : named)
  }

  /** Rules 7 to 10: from here on others know, until it is decided what is dead. */
  private async decide(gc: GcState, condemned: Set<string>, found: Survey): Promise<Decision> {
    const { records, onPhase, clock, graceMs, signal } = this.options
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
    if (graceMs > 0) await clock.sleep(graceMs, { signal })
    const rescued = this.rules.marksAgain ? await this.markAgain(condemned, found) : []
    const dead = new Set(this.rules.keepsDeadList ? gc.dead : [])
    const saved = new Set(rescued)
    for (const name of condemned) if (!saved.has(name)) dead.add(name)
    if (!this.rules.decidesFirst) await this.merge(dead)
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
    const roots = await listing.list(this.expiry(), { signal })
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

  /** Everything here may be done again by whoever prunes next. */
  private async tidy(
    dead: ReadonlySet<string>,
    found: Survey,
    rescued: readonly string[],
    condemned: ReadonlySet<string>,
  ): Promise<PruneOutcome['deleted']> {
    const { records, runId: self, onPhase, onDeleted, signal } = this.options
    onPhase('merge')
    await this.merge(dead)
    onPhase('delete')
    const saved = new Set(rescued)
    const strays = this.rules.namesUnlisted ? [] : found.unlisted.map(({ name }) => name)
    const names = [
      ...found.leftover.map(({ name }) => name),
      ...[...condemned].filter((name) => !saved.has(name)),
      ...strays,
    ]
    await deletePacks(names, { records, signal }, (packs) => onDeleted?.(packs))
    await tidyGc({ ...this.options, self })
    await tidyRuns({ ...this.options, self }, this.rules.keepsCommittedRuns)
    return { packs: names.length, bytes: names.reduce((sum, name) => sum + (found.packs.get(name) ?? 0), 0) }
  }

  private async merge(dead: ReadonlySet<string>): Promise<void> {
    const { threads } = this.options
    await mergeFragments({ ...this.options, thread: threads[0]!, dead, nameOf: this.rules.fragmentNameOf })
  }

  /** So that the next one need not wait until this one counts as dead. If the outcome is there already, it stands. */
  private async giveUp({ dead }: GcState): Promise<void> {
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

interface Decision {
  dead: ReadonlySet<string>
  /** Candidates that live on. */
  rescued: readonly string[]
  waitingFor?: readonly string[]
}

/** Another prune was faster, or has given this one up: it stops, and deletes nothing. */
function taken({ dead }: GcState): Decision {
  return { dead, rescued: [], waitingFor: [] }
}

function pending(waitingFor: readonly string[]): PruneOutcome {
  return {
    state: 'pending',
    waitingFor,
    deleted: NOTHING,
    rescued: 0,
    copied: { packs: 0, storedBytes: 0 },
    damaged: [],
  }
}

function copied({ copied, storedBytes, damaged }: CopyResult): Pick<PruneOutcome, 'copied' | 'damaged'> {
  return { copied: { packs: copied.length, storedBytes }, damaged }
}
