/** A process that dies after its n-th change of the target. */
import { BackupError } from '../errors.ts'
import { type Target, wrapTarget } from '../targets/target.ts'

export interface CrashAfterOptions {
  /** The n-th change happens, but the process dies before it hears of it: its reply is an error. Default false. */
  lostReply?: boolean
}
export interface CrashingTarget extends Target {
  /** Changes that were let through: puts, and keys deleted (a delete of many may be cut in the middle). */
  readonly mutations: number
  /** True once calls are refused. */
  readonly crashed: boolean
}

/**
 * Lets the first `n` changes through; then every call, reads too, fails with TARGET_UNREACHABLE, not retryable, since a
 * dead process does not try again. With n = Infinity it only counts, which tells how many crashes there are to test.
 * `inner` stays usable: it is what the next process finds.
 */
export function crashAfter(inner: Target, n: number, { lostReply = false }: CrashAfterOptions = {}): CrashingTarget {
  let mutations = 0
  const alive = (): void => {
    if (mutations >= n) throw dead(n)
  }
  /** Counts a change about to happen; true if its reply must be lost. */
  const count = (): boolean => {
    alive()
    mutations++
    return lostReply && mutations >= n
  }
  const read = async <T>(run: () => Promise<T>): Promise<T> => {
    alive()
    return await run()
  }
  return wrapTarget(inner, {
    get mutations() {
      return mutations
    },
    get crashed() {
      return mutations >= n
    },
    async put(key, body, call) {
      const lost = count()
      const created = await inner.put(key, body, call)
      if (lost) throw dead(n)
      return created
    },
    async delete(keys, call) {
      alive()
      const allowed = keys.slice(0, n - mutations)
      mutations += allowed.length
      await inner.delete(allowed, call)
      if (allowed.length < keys.length || (lostReply && mutations >= n)) throw dead(n)
    },
    get: (key, call) => read(() => inner.get(key, call)),
    stat: (key, call) => read(() => inner.stat(key, call)),
    async *list(prefix, call) {
      alive()
      for await (const info of inner.list(prefix, call)) {
        alive()
        yield info
      }
    },
  } satisfies Partial<CrashingTarget>)
}

function dead(n: number): BackupError {
  return new BackupError('TARGET_UNREACHABLE', `the process died after change ${n} of the target`, {
    origin: 'target',
    details: { mutations: n },
  })
}
