/** A target and a clock that wait for nobody: for what comes after a schedule. */
import { BackupError } from '../../src/errors.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import type { Target } from '../../src/targets/target.ts'
import { abortError, onAbort } from '../../src/util/abort.ts'
import type { Clock } from '../../src/util/clock.ts'

export function targetOver(objects: Map<string, Uint8Array>): Target {
  return {
    apiVersion: 1,
    name: 'plain',
    traits: memoryTarget().traits,
    async put(key, body, { ifAbsent } = {}) {
      if (ifAbsent && objects.has(key)) return false
      objects.set(key, new Uint8Array(body))
      return true
    },
    async get(key, { range } = {}) {
      const bytes = objects.get(key)
      if (bytes === undefined) throw new BackupError('TARGET_OBJECT_NOT_FOUND', `no ${key}`, { origin: 'target' })
      return new Uint8Array(bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length))
    },
    async stat(key) {
      const bytes = objects.get(key)
      return bytes && { key, size: bytes.length }
    },
    async *list(prefix) {
      for (const [key, { length: size }] of [...objects]) if (key.startsWith(prefix)) yield { key, size }
    },
    async delete(keys) {
      for (const key of keys) objects.delete(key)
    },
    close: async () => {},
  }
}

/** Pauses are over at once, and count as taken. */
export function hastyClock(startMs = Date.parse('2026-06-02T12:00:00Z')): Clock & { jump(ms: number): void } {
  let nowMs = 0
  let jumpedMs = 0
  return {
    now: () => new Date(startMs + nowMs + jumpedMs),
    monotonicMs: () => nowMs,
    async sleep(ms, { signal, unref } = {}) {
      if (unref) await new Promise((_, reject) => onAbort(signal, (reason) => reject(abortError(reason))))
      nowMs += ms
    },
    /** Of the wall clock alone. */
    jump(ms) {
      jumpedMs += ms
    },
  }
}
