/**
 * How packs that are lost or damaged die: as those do that a prune names, so that no run relies on them any more. What was
 * sound of them has to be elsewhere before.
 */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import type { CallSignal, Target } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Clock } from '../../util/clock.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { VaultPlain } from '../../workers/segments/vault.ts'
import type { Thread } from '../../workers/threads/rpc.ts'
import { gcDoneKey, packKey } from '../keys-layout.ts'
import { announceCandidates, decideGc, type GcState, readGc } from '../prune/gc.ts'
import { mergeFragments } from '../prune/merge.ts'
import { deletePacks, tidyGc } from '../prune/tidy.ts'
import { ownerIsDead, PRUNE_VERB, waitForRuns } from '../prune/wait.ts'
import type { Records } from '../records.ts'
import { announceRun, cleanupSignal, leaveRun } from '../runs.ts'

export interface RetireOptions extends CallSignal {
  target: Target
  records: Records
  vault: VaultPlain
  renew(): Promise<VaultPlain>
  threads: readonly Thread[]
  signal: AbortSignal
  clock: Clock
  host: string
  /** Of the protocol; new for each call. */
  runId: string
  /** A run whose object does not change for so long is given up. */
  stillMs: number
  pollMs: number
  /** Waited for in addition where the target cannot create once. */
  graceMs: number
  waitMs?: number | undefined
  /** Names in hex. */
  packs: readonly string[]
  /** Packs that hold what was saved of those. If one of them has died, nothing is retired. */
  rely: readonly string[]
  onWait?(runs: readonly string[]): void
}

/**
 * again: what was saved is gone, since a prune did not know that it was needed; or a pack has been put back meanwhile. All has to
 * be looked at once more.
 */
export interface Retired {
  readonly state: 'done' | 'pending' | 'again'
  readonly waitingFor: readonly string[]
}

export async function retirePacks(options: RetireOptions): Promise<Retired> {
  const { records, runId } = options
  const presence = await announceRun(records, { ...options, verb: PRUNE_VERB })
  try {
    const gc = await takeTurn(options)
    if (gc.owner !== undefined) return { state: 'pending', waitingFor: [gc.owner] }
    return await new Retirement(options, gc).run()
  } finally {
    await leaveRun(records, runId, presence)
  }
}

/** One prune at a time. An open one whose owner is dead gets an outcome: void. */
async function takeTurn(options: RetireOptions): Promise<GcState> {
  const { records, runId, clock, signal, waitMs } = options
  for (;;) {
    const gc = await readGc(records, { signal })
    const { n, owner } = gc
    if (owner === undefined || waitMs === 0) return gc
    const isOpen = async (): Promise<boolean> => (await records.target.stat(gcDoneKey(n), { signal })) === undefined
    const isDead = await ownerIsDead(owner, isOpen, options)
    if (!isDead && (await isOpen())) return gc
    if (isDead) await decideGc(records, 'void', gc.dead, { n, run: runId, at: clock.now(), signal })
  }
}

class Retirement {
  private readonly options: RetireOptions
  private readonly gc: GcState
  private readonly n: number

  constructor(options: RetireOptions, gc: GcState) {
    this.options = options
    this.gc = gc
    this.n = gc.n + 1
  }

  async run(): Promise<Retired> {
    const { records, rely } = this.options
    const packs = this.options.packs.filter((name) => !this.gc.dead.has(name))
    if (rely.some((name) => this.gc.dead.has(name))) return { state: 'again', waitingFor: [] }
    if (packs.length === 0) return { state: 'done', waitingFor: [] }
    let isOpen = true
    try {
      // From here on until the outcome no other prune can decide anything: what is relied on stays.
      if (!(await announceCandidates(records, packs, this.author()))) {
        isOpen = false
        return { state: 'pending', waitingFor: [] }
      }
      const waitingFor = await this.wait()
      if (waitingFor.length > 0) return { state: 'pending', waitingFor }
      if (await this.isAnyWhole(packs)) return { state: 'again', waitingFor: [] }
      const dead = new Set([...this.gc.dead, ...packs])
      throwIfAborted(this.options.signal)
      const isDecided = await decideGc(records, 'done', dead, this.author())
      isOpen = false
      if (!isDecided) return { state: 'pending', waitingFor: [] }
      await this.tidy(packs, dead)
      return { state: 'done', waitingFor: [] }
    } finally {
      if (isOpen) await this.giveUp()
    }
  }

  /** It may have been a long wait, and somebody who puts packs back from a copy does not know of this. */
  private async isAnyWhole(packs: readonly string[]): Promise<boolean> {
    const { target, signal } = this.options
    const look = (name: string): Promise<boolean> => isWhole(target, name, signal)
    for await (const whole of mapBounded(packs, Math.min(4, target.traits.maxConcurrency), look, signal)) {
      if (whole) return true
    }
    return false
  }

  private async wait(): Promise<string[]> {
    const { graceMs, clock, signal, runId, target } = this.options
    const left = await waitForRuns({ ...this.options, self: runId })
    if (left.length === 0 && !target.traits.createOnly) await clock.sleep(graceMs, { signal })
    return left
  }

  /** Whoever prunes next does what of this is not done. */
  private async tidy(packs: readonly string[], dead: ReadonlySet<string>): Promise<void> {
    const { options } = this
    await mergeFragments({ ...options, thread: options.threads[0]!, dead })
    await deletePacks(packs, options, () => undefined)
    await tidyGc({ ...options, self: options.runId })
  }

  /** So that the next one need not wait until this one counts as dead. If there is an outcome already, it stands. */
  private async giveUp(): Promise<void> {
    const { records, runId: self } = this.options
    const signal = cleanupSignal()
    await decideGc(records, 'void', this.gc.dead, { ...this.author(), signal }).catch(() => undefined)
    await tidyGc({ ...this.options, self, signal }).catch(() => undefined)
  }

  private author(): { n: number; run: string; at: Date; signal: AbortSignal } {
    const { runId: run, clock, signal } = this.options
    return { n: this.n, run, at: clock.now(), signal }
  }
}

async function isWhole(target: Target, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    return sha256Hex(await target.get(packKey(name), { signal })) === name
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return false
    throw error
  }
}
