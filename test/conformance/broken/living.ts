/** Targets that do not end what they should: aborts, signals, handles. */

import { checkKey } from '../../../src/targets/checks.ts'
import { type CallSignal, wrapTarget } from '../../../src/targets/target.ts'
import { turn } from '../../../src/testing/target-bench.ts'
import { race, throwIfAborted } from '../../../src/util/abort.ts'
import { ABORTED, type Broken, CLOSED, HALF_DONE, type Memory, MISSING, NO_MORE, REFUSES, SIGNAL } from './broken.ts'

export const LIVING: Readonly<Record<string, Broken>> = {
  'swallows an abort': {
    fails: [ABORTED],
    because: /resolved, instead of rejecting/,
    wrap: (inner) =>
      wrapTarget(inner, {
        put: (key, body, call) => (call?.signal?.aborted ? Promise.resolve(true) : inner.put(key, body, call)),
      }),
  },
  'deletes although aborted': {
    fails: [ABORTED],
    because: /resolved, instead of rejecting/,
    wrap: (inner) => wrapTarget(inner, { delete: (keys) => inner.delete(keys) }),
  },
  'rejects an abort with an error of its own': {
    fails: [ABORTED],
    because: /expected a BackupError/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async get(key, call) {
          call?.signal?.throwIfAborted()
          return await inner.get(key, call)
        },
      }),
  },
  'goes on deleting after the abort': {
    fails: [NO_MORE],
    because: /went on after the abort/,
    wrap: (inner) => wrapTarget(inner, { delete: (keys, call) => slowly(inner, keys, call) }),
  },
  'leaves half an object when aborted': {
    fails: [HALF_DONE],
    because: /neither the old nor the new/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async put(key, body, call = {}) {
          if (call.signal === undefined || !(await inner.put(key, body.slice(0, body.length >> 1), call)))
            return await inner.put(key, body, call)
          await turn()
          throwIfAborted(call.signal)
          return await inner.put(key, body)
        },
      }),
  },
  'holds on to signals': {
    fails: [SIGNAL],
    because: /listeners on it must go/,
    wrap: (inner) =>
      wrapTarget(inner, {
        async get(key, call) {
          call?.signal?.addEventListener('abort', () => {})
          return await inner.get(key, call)
        },
      }),
  },
  'never answers a stat of what is missing': {
    fails: [MISSING, REFUSES, ABORTED],
    because: /^stat of conformance-.*\/a did not settle in 0.2 s$/,
    callMs: 200,
    wrap: (inner) =>
      wrapTarget(inner, {
        async stat(key, call) {
          return (await inner.stat(key).catch(() => undefined)) ?? (await new Promise(() => call))
        },
      }),
  },
  'goes on by an interval after it is closed': {
    fails: [CLOSED],
    because: /4 intervals go on after close/,
    wrap: (inner) => {
      setInterval(() => {}, 60_000).unref()
      return wrapTarget(inner, {})
    },
  },
  'keeps a timer after it is closed': {
    fails: [CLOSED],
    because: /still there/,
    wrap: (inner) => {
      // Not for ever, since the tests have to end.
      setTimeout(() => {}, 15_000)
      return wrapTarget(inner, {})
    },
  },
}

/** Answers the abort, but what it does goes on. */
async function slowly(inner: Memory, keys: readonly string[], { signal }: CallSignal = {}): Promise<void> {
  keys.forEach(checkKey)
  throwIfAborted(signal)
  const work = async (): Promise<void> => {
    for (const key of keys) {
      if (signal !== undefined) await new Promise((resolve) => setTimeout(resolve, 4))
      await inner.delete([key])
    }
  }
  await race(work(), signal)
}
