/** Reads from the first target, and from its mirrors where that is safe. */
import { BackupError } from '../../errors.ts'
import { systemClock } from '../../util/clock.ts'
import type { ObjectInfo, Target } from '../target.ts'
import { isPack } from './key-classes.ts'

/** A read that was answered by a mirror. */
export interface MirrorFallOver {
  /** The mirror's name. */
  target: string
  operation: 'get' | 'stat' | 'list'
  /** The key, or the prefix of a list. */
  key: string
  /** Why the target before it did not answer; absent while it is being left alone after a failure. */
  error?: unknown
}

/** After a failure the first target is asked last for so long: else each read would wait for its time-out. */
const AVOID_MS = 10_000

type ReadKind = Pick<MirrorFallOver, 'operation' | 'key'>

export interface MirrorReadsOptions {
  targets: readonly Target[]
  /** Whether something else than a pack may be read from a mirror now. */
  mayFallOver(): boolean
  /** A mirror has answered for something else than a pack. */
  onStale(): void
  onFallOver(fallOver: MirrorFallOver): void
}

export class MirrorReads {
  readonly #options: MirrorReadsOptions
  #avoidUntil = Number.NEGATIVE_INFINITY

  constructor(options: MirrorReadsOptions) {
    this.#options = options
  }

  async read<T>(kind: ReadKind, call: (target: Target) => Promise<T>): Promise<T> {
    const failures = new Map<Target, unknown>()
    for (const target of this.#order(kind)) {
      try {
        const result = await call(target)
        this.#answered(kind, target, failures)
        return result
      } catch (error) {
        this.#failed(kind, target, error, failures)
      }
    }
    throw this.#verdict(failures)
  }

  /** One that breaks off in the middle fails: what follows from elsewhere may not fit to what was listed. */
  async *list(prefix: string, call: (target: Target) => AsyncIterable<ObjectInfo>): AsyncGenerator<ObjectInfo> {
    const kind = { operation: 'list', key: prefix } as const
    const begun = await this.read(kind, async (target) => {
      const items = call(target)[Symbol.asyncIterator]()
      return { items, first: await items.next() }
    })
    try {
      for (let item = begun.first; !item.done; item = await begun.items.next()) yield item.value
    } finally {
      await begun.items.return?.()
    }
  }

  #mayFallOver({ operation, key }: ReadKind): boolean {
    return isPackRead(operation, key) || this.#options.mayFallOver()
  }

  #order(kind: ReadKind): readonly Target[] {
    const { targets } = this.#options
    if (!this.#mayFallOver(kind)) return targets.slice(0, 1)
    const avoids = systemClock.monotonicMs() < this.#avoidUntil
    return avoids ? [...targets.slice(1), targets[0]!] : targets
  }

  #answered(kind: ReadKind, target: Target, failures: ReadonlyMap<Target, unknown>): void {
    const [primary] = this.#options.targets
    if (target === primary) {
      this.#stopAvoiding()
      return
    }
    if (!isPackRead(kind.operation, kind.key)) this.#options.onStale()
    const error = failures.get(primary!) ?? [...failures.values()].at(-1)
    this.#options.onFallOver({ ...kind, target: target.name, ...(error !== undefined && { error }) })
  }

  #stopAvoiding(): void {
    this.#avoidUntil = Number.NEGATIVE_INFINITY
  }

  /** Throws where no other target may be asked. */
  #failed(kind: ReadKind, target: Target, error: unknown, failures: Map<Target, unknown>): void {
    failures.set(target, error)
    const isPrimary = target === this.#options.targets[0]
    if (isPrimary && isAbsence(error)) this.#stopAvoiding()
    else if (isPrimary && isFailure(error)) this.#avoidUntil = systemClock.monotonicMs() + AVOID_MS
    const may = isFailure(error) || (isAbsence(error) && (!isPrimary || isPackRead(kind.operation, kind.key)))
    if (!may || !this.#mayFallOver(kind)) throw error
  }

  /** The first target's word counts most. */
  #verdict(failures: ReadonlyMap<Target, unknown>): unknown {
    return failures.get(this.#options.targets[0]!) ?? [...failures.values()][0]
  }
}

/** Whoever has a pack has the right one. What `stat` says of one is asked to know what the first target has. */
function isPackRead(operation: ReadKind['operation'], key: string): boolean {
  return operation === 'get' && isPack(key)
}

/** The object is not there, or is too short: the target itself answers. */
function isAbsence(error: unknown): boolean {
  return BackupError.is(error) && (error.code === 'TARGET_OBJECT_NOT_FOUND' || error.code === 'TARGET_PROTOCOL')
}

function isFailure(error: unknown): boolean {
  return BackupError.is(error) && error.code.startsWith('TARGET_') && !isAbsence(error)
}
