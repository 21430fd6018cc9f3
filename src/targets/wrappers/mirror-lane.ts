/** Writes to one mirror: in order for each key, few at once, and known until they have ended. */
import { BackupError } from '../../errors.ts'
import { race, throwIfAborted } from '../../util/abort.ts'
import type { Target } from '../target.ts'

/** A write that a mirror has missed, so that it lags behind until it is healed. */
export interface MirrorLag {
  /** The mirror's name. */
  target: string
  operation: 'put' | 'delete'
  keys: readonly string[]
  error: unknown
}

export interface MirrorWrite {
  operation: 'put' | 'delete'
  keys: readonly string[]
  /** Begins only when all that was handed over before it has ended. */
  afterAll?: boolean
  /** No write begins after its abort. */
  signal: AbortSignal
  run(signal: AbortSignal): Promise<unknown>
}

export class MirrorLane {
  readonly target: Target
  readonly #onLag: (lag: MirrorLag) => void
  readonly #slots: Allowance
  readonly #last = new Map<string, Promise<void>>()
  readonly #open = new Set<Promise<void>>()
  /** Writes missed so far. */
  #missed = 0
  #healed = 0

  constructor(target: Target, onLag: (lag: MirrorLag) => void) {
    this.target = target
    this.#onLag = onLag
    this.#slots = new Allowance(target.traits.maxConcurrency)
  }

  /** Rejects where the mirror has missed it; that is told to `onLag` too, unless it was called off. */
  add(write: MirrorWrite): Promise<void> {
    const before = write.afterAll ? [...this.#open] : write.keys.flatMap((key) => this.#last.get(key) ?? [])
    const done = this.#run(write, before)
    this.#open.add(done)
    for (const key of write.keys) this.#last.set(key, done)
    const forget = (): void => {
      this.#open.delete(done)
      for (const key of write.keys) if (this.#last.get(key) === done) this.#last.delete(key)
    }
    done.then(forget, forget)
    return done
  }

  async #run(write: MirrorWrite, before: readonly Promise<void>[]): Promise<void> {
    const { signal } = write
    try {
      await race(Promise.allSettled(before), signal)
      await this.#slots.take(1, signal)
      await this.#begin(write).finally(() => this.#slots.give(1))
    } catch (error) {
      if (!signal.aborted) this.miss(write, error)
      throw error
    }
  }

  async #begin({ operation, signal, run }: MirrorWrite): Promise<void> {
    throwIfAborted(signal)
    if (operation === 'delete' && this.isLagging) throw lags(this.target)
    await run(signal)
  }

  miss({ operation, keys }: Pick<MirrorWrite, 'operation' | 'keys'>, error: unknown): void {
    this.#missed++
    this.#onLag({ target: this.target.name, operation, keys, error })
  }

  /** It has missed something. Then nothing is deleted there: what it has stays whole, if old, until it is healed. */
  get isLagging(): boolean {
    return this.#missed > this.#healed
  }

  /** What is missed from now on counts anew, once the returned function is called. */
  beginHeal(): () => void {
    const missed = this.#missed
    return () => {
      this.#healed = missed
    }
  }

  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled(this.#open)
  }
}

function lags(target: Target): BackupError {
  return new BackupError(
    'TARGET_UNREACHABLE',
    `the mirror ${target.name} has missed writes, so nothing is deleted there`,
    {
      origin: 'target',
      details: { target: target.name },
      hint: 'Call heal() on the mirrored target.',
    },
  )
}

/** So much may be taken at once; whoever wants more than is left waits. One that wants more than all of it gets it alone. */
export class Allowance {
  readonly #most: number
  #used = 0
  #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
  }

  async take(amount: number, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    while (this.#used > 0 && this.#used + amount > this.#most) {
      await race(new Promise<void>((resolve) => this.#waiting.push(resolve)), signal)
    }
    this.#used += amount
  }

  give(amount: number): void {
    this.#used -= amount
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
