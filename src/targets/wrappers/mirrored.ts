/** One repository on several targets: a folder here and a bucket there, or several regions. */
import { z } from 'zod'
import { BackupError } from '../../errors.ts'
import { systemClock } from '../../util/clock.ts'
import { assertCompatible } from '../../util/plugin.ts'
import { checkKey, checkPrefix, checkRange, parseOptions } from '../checks.ts'
import type { PutOptions, Target, TargetTraits } from '../target.ts'
import { isGc, isRun, isSnapshot } from './key-classes.ts'
import { examineAll } from './mirror-doctor.ts'
import { type HealOptions, type HealResult, healMirrors } from './mirror-heal.ts'
import { type MirrorLag, MirrorLane } from './mirror-lane.ts'
import { type MirrorFallOver, MirrorReads } from './mirror-reads.ts'
import { MirrorWrites } from './mirror-writes.ts'

export type { HealOptions, HealProgress, HealResult } from './mirror-heal.ts'
export type { MirrorLag } from './mirror-lane.ts'
export type { MirrorFallOver } from './mirror-reads.ts'

export interface MirroredOptions {
  /**
   * Targets that must have a write before it is done, the first one always among them: 1 to all of them. Default: all. The
   * others get it behind that, and `close()` waits for them.
   */
  writeQuorum?: number
  /** Bytes of bodies that may wait for slower mirrors; then writes wait. Default 64 MiB. */
  maxWaitingBytes?: number
  /** Told of every write that a mirror has missed. It lags until `heal()`. */
  onLag?: (lag: MirrorLag) => void
  /** Told of every read that a mirror has answered. */
  onFallOver?: (fallOver: MirrorFallOver) => void
}

export interface MirroredTarget extends Target {
  /** Names of mirrors that have missed a write of this process and were not healed since. */
  readonly lagging: readonly string[]
  /**
   * Makes each mirror what the first target is: copies what is missing, replaces what is different. Of packs the one that
   * is what its name says is right, wherever it lies; of all else the first target's. Safe beside running backups.
   * @throws BackupError REPOSITORY_FOREIGN where a mirror holds another repository, REPOSITORY_NOT_FOUND where the first
   * target holds none and a mirror does, TARGET_*
   */
  heal(options?: HealOptions): Promise<HealResult>
}

const optionsSchema = z.strictObject({
  writeQuorum: z.int().min(1).optional(),
  maxWaitingBytes: z.int().nonnegative().optional(),
  onLag: z.function().optional(),
  onFallOver: z.function().optional(),
})

/**
 * The first target decides and its mirrors follow. Every write needs the first one; which of several creators of an object
 * wins, and what a listing shows, it alone says. While it cannot be reached nothing can be committed, and packs come from
 * a mirror. All other reads do so too while no run of this target is under way, so that a restore works. As what was read
 * then may be old, nothing but runs is deleted from then on until the next run begins (a prune is one), which reads anew.
 * Put `retrying` around each target rather than around this. Closing it closes all.
 */
export function mirrored(targets: readonly Target[], options: MirroredOptions = {}): MirroredTarget {
  const parsed = parseOptions('mirrored', optionsSchema, options)
  for (const target of targets) assertCompatible(target)
  const { writeQuorum = targets.length } = parsed
  if (targets.length === 0) throw invalid('at least one target is needed')
  if (new Set(targets).size < targets.length) throw invalid('the same target is there twice')
  if (writeQuorum > targets.length) throw invalid(`writeQuorum is ${writeQuorum}, of ${targets.length} targets`)
  return make(targets, { ...options, writeQuorum })
}

function make(targets: readonly Target[], options: MirroredOptions & { writeQuorum: number }): MirroredTarget {
  const { onLag, onFallOver, writeQuorum, maxWaitingBytes = 64 * 1024 * 1024 } = options
  const primary = targets[0]!
  const lanes = targets.slice(1).map((target) => new MirrorLane(target, (lag) => onLag?.(lag)))
  const guard = new MirrorGuard()
  const writes = new MirrorWrites({ primary, lanes, writeQuorum, maxWaitingBytes })
  const reads = new MirrorReads({
    targets,
    mayFallOver: () => guard.isIdle,
    onStale: () => guard.noteStale(),
    onFallOver: (fallOver) => onFallOver?.(fallOver),
  })
  return {
    apiVersion: 1,
    name: `mirrored(${targets.map(({ name }) => name).join(', ')})`,
    get traits() {
      return commonTraits(targets)
    },
    put: async (key, body, call = {}) => {
      checkKey(key)
      return await guard.putting(key, call, () =>
        call.ifAbsent ? writes.create(key, body, call) : writes.put(key, body, call),
      )
    },
    get: async (key, call) => {
      checkKey(key)
      checkRange(call?.range)
      return await reads.read({ operation: 'get', key }, (target) => target.get(key, call))
    },
    stat: async (key, call) => {
      checkKey(key)
      return await reads.read({ operation: 'stat', key }, (target) => target.stat(key, call))
    },
    async *list(prefix, call) {
      checkPrefix(prefix)
      yield* reads.list(prefix, (target) => target.list(prefix, call))
    },
    delete: async (keys, call) => {
      for (const key of keys) checkKey(key)
      guard.beforeDelete(keys)
      if (keys.length > 0) await writes.delete(keys, call?.signal)
    },
    get lagging() {
      return lanes.filter(({ isLagging }) => isLagging).map(({ target }) => target.name)
    },
    heal: (call = {}) => healMirrors(primary, lanes, call),
    ...(targets.some(({ doctor }) => doctor) && { doctor: (context) => examineAll(targets, context) }),
    ...(targets.some(({ space }) => space) && { space: () => leastSpace(targets) }),
    ...localPathOf(targets),
    close: () => closeAll(targets, lanes),
  }
}

/**
 * How long a run counts after its last sign of life, which may have been refused: its next heartbeat comes before that. One
 * whose commit is in doubt beats no more and leaves its object, and restores must not wait for it.
 */
const ALIVE_MS = 180_000

/** Keeps what was read from a mirror, which may be old, from deciding what is written or deleted. */
class MirrorGuard {
  /** Runs of this process by key, with the time until which they count. */
  readonly #runs = new Map<string, number>()
  #isStale = false

  /** No run is under way that would commit what it has read. */
  get isIdle(): boolean {
    const now = systemClock.monotonicMs()
    for (const [key, until] of this.#runs) if (until < now) this.#runs.delete(key)
    return this.#runs.size === 0
  }

  noteStale(): void {
    this.#isStale = true
  }

  /** Creation and heartbeats of a run show that it is there. */
  async putting(key: string, { ifAbsent }: PutOptions, put: () => Promise<boolean>): Promise<boolean> {
    // A snapshot that is overwritten is one that is forgotten, as if it were deleted.
    if (this.#isStale && (ifAbsent ? isGc(key) : isSnapshot(key))) throw mayBeStale(key)
    if (!isRun(key)) return await put()
    this.#runs.set(key, Number.POSITIVE_INFINITY)
    let isThere = false
    try {
      isThere = await put()
      // Whatever it goes by is read from now on, and while it is under way from the first target alone.
      if (isThere && ifAbsent) this.#isStale = false
      return isThere
    } finally {
      if (this.#runs.has(key)) this.#runs.set(key, systemClock.monotonicMs() + ALIVE_MS)
    }
  }

  beforeDelete(keys: readonly string[]): void {
    for (const key of keys) if (!isRun(key) && this.#isStale) throw mayBeStale(key)
    for (const key of keys) this.#runs.delete(key)
  }
}

function mayBeStale(key: string): BackupError {
  return new BackupError(
    'TARGET_UNREACHABLE',
    'the first target could not be reached, and what a mirror said may be old',
    {
      origin: 'target',
      details: { key },
      hint: 'Begin again, as a run of its own (a backup, a prune), when the first target answers.',
    },
  )
}

function commonTraits(targets: readonly Target[]): TargetTraits {
  const { createOnly, checksums } = targets[0]!.traits
  const most = targets.flatMap(({ traits }) => traits.maxObjectBytes ?? [])
  return {
    createOnly,
    maxConcurrency: Math.min(...targets.map(({ traits }) => traits.maxConcurrency)),
    ...(most.length > 0 && { maxObjectBytes: Math.min(...most) }),
    ...(checksums !== undefined && { checksums }),
    remote: targets.some(({ traits }) => traits.remote === true),
  }
}

/** Of what can be known: where the least is left. */
async function leastSpace(targets: readonly Target[]): Promise<{ freeBytes?: number; usedBytes?: number }> {
  const known = await Promise.all(targets.flatMap((target) => (target.space ? [target.space()] : [])))
  const free = known.flatMap(({ freeBytes }) => freeBytes ?? [])
  const used = known.flatMap(({ usedBytes }) => usedBytes ?? [])
  return {
    ...(free.length > 0 && { freeBytes: Math.min(...free) }),
    ...(used.length > 0 && { usedBytes: Math.max(...used) }),
  }
}

/** There is room for one: exclude the others by hand where they lie inside a source. */
function localPathOf(targets: readonly Target[]): Pick<Target, 'localPath' | 'localFiles'> {
  const path = targets.find(({ localPath }) => localPath !== undefined)?.localPath
  const files = targets.flatMap(({ localFiles = [] }) => localFiles)
  return { ...(path !== undefined && { localPath: path }), ...(files.length > 0 && { localFiles: files }) }
}

async function closeAll(targets: readonly Target[], lanes: readonly MirrorLane[]): Promise<void> {
  await Promise.all(lanes.map((lane) => lane.idle()))
  const closed = await Promise.allSettled(targets.map((target) => target.close()))
  for (const result of closed) if (result.status === 'rejected') throw result.reason
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `mirrored: ${message}`, { origin: 'usage' })
}
