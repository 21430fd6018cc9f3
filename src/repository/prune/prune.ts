/**
 * A prune from end to end: docs/format.md, "Protocol of prunes", says why in this order. When in doubt whether something
 * may be deleted, it is kept.
 */
import { throwIfAborted } from '../../util/abort.ts'
import { gcDoneKey, trashKey } from '../keys-layout.ts'
import { announceRun, leaveRun, type Presence } from '../runs.ts'
import { type CopyResult, copyNeeded, isFull } from './copy.ts'
import { PruneDecision } from './decide.ts'
import { decideGc, type GcState, readGc } from './gc.ts'
import { mergeDead } from './merge.ts'
import { ALL_RULES, type PruneRules } from './rules.ts'
import { type Survey, survey } from './survey.ts'
import { deletePacks, tidyGc, tidyRuns } from './tidy.ts'
import { tidyTrash } from './tidy-trash.ts'
import type { PruneOptions, PruneOutcome } from './types.ts'
import { ownerIsDead, PRUNE_VERB } from './wait.ts'

export async function prune(options: PruneOptions): Promise<PruneOutcome> {
  const { records, runId } = options
  const presence = await announceRun(records, { ...options, verb: PRUNE_VERB })
  try {
    options.onStarted?.()
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
  private readonly decision: PruneDecision

  constructor(options: PruneOptions, { startedAt }: Presence) {
    this.options = options
    this.rules = options.rules ?? ALL_RULES
    this.startedAt = startedAt
    this.decision = new PruneDecision(options, this.expiry())
  }

  async run(): Promise<PruneOutcome> {
    const gc = await this.takeTurn()
    if ('owner' in gc && gc.owner !== undefined) return pending([gc.owner])
    try {
      return await this.prune(gc)
    } catch (error) {
      await this.decision.giveUp(gc)
      throw error
    }
  }

  /** Rule 6. An open prune whose owner is dead gets an outcome: void. */
  private async takeTurn(): Promise<GcState> {
    const { records, runId, clock, signal, onPhase } = this.options
    for (;;) {
      const gc = await readGc(records, { signal })
      const { n, owner } = gc
      if (owner === undefined) return gc
      onPhase('take-over')
      const isOpen = async (): Promise<boolean> => (await records.target.stat(gcDoneKey(n), { signal })) === undefined
      const isDead = await ownerIsDead(owner, isOpen, this.options)
      if (!isDead && (await isOpen())) return gc
      if (!isDead) continue
      await decideGc(records, 'void', gc.dead, { n, run: runId, at: clock.now(), signal })
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
      const decided = await this.decision.decide(gc, condemned, found)
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
    const result = await copyNeeded(rewrite, contents, { ...options, onCopied: (bytes) => options.onCopied?.(bytes) })
    if (result.noRoom) options.onNoRoom?.(result.noRoom)
    return result
  }

  /** Where a pack turned out to be damaged, none that may hold something of it in a second place. */
  private candidates({ unneeded, unlisted }: Survey, { copied, damaged }: CopyResult): Set<string> {
    const packs = [...unneeded, ...copied].filter(({ isDoubled }) => damaged.length === 0 || !isDoubled)
    const named = packs.map(({ name }) => name)
    return new Set(this.rules.namesUnlisted ? [...named, ...unlisted.map(({ name }) => name)] : named)
  }

  /** False: there was no room for the new fragments. What is dead is listed as such, and may go before the old ones. */
  private async merge(dead: ReadonlySet<string>): Promise<boolean> {
    try {
      await mergeDead(this.options, dead)
      return true
    } catch (error) {
      if (!isFull(error)) throw error
      return false
    }
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
    const isMerged = await this.merge(dead)
    onPhase('delete')
    const saved = new Set(rescued)
    const strays = this.rules.namesUnlisted ? [] : found.unlisted.map(({ name }) => name)
    const names = [
      ...found.leftover.map(({ name }) => name),
      ...[...condemned].filter((name) => !saved.has(name)),
      ...strays,
    ]
    await deletePacks(names, { records, signal }, (packs) => onDeleted?.(packs))
    // If there is still no room, the next prune does it.
    if (!isMerged) await this.merge(dead)
    await tidyGc({ ...this.options, self })
    await tidyRuns({ ...this.options, self }, this.rules.keepsCommittedRuns)
    await tidyTrash(found.roots.unended, this.options)
    return { packs: names.length, bytes: names.reduce((sum, name) => sum + (found.packs.get(name) ?? 0), 0) }
  }
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
