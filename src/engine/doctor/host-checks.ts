/** This process: its threads, its limits, its cache; and the keys. */
import type { Finding } from '../../events.ts'
import { NO_CACHE } from '../../repository/cache/object-cache.ts'
import { adviseKeys, checkKeys } from '../../repository/keys/check-keys.ts'
import { indexKey } from '../../repository/keys-layout.ts'
import type { Check } from './check.ts'
import { limitFindings, readLimits } from './limits.ts'

const workers: Check = {
  name: 'worker threads',
  async run({ engine }) {
    const lease = await engine.repository.lease()
    try {
      if (!lease.threads[0]!.inline) return []
      const warning = engine.warnings.find(({ code }) => code === 'WORKERS_UNAVAILABLE')
      return [warning ? noWorkers(warning.message) : inline()]
    } finally {
      lease.release()
    }
  },
}

function noWorkers(message: string): Finding {
  const fix = 'Keep holdfast out of the bundle, or copy its worker beside it, or name it: workerPool({ file }).'
  return { code: 'WORKERS_UNAVAILABLE', severity: 'warning', message, fix }
}

function inline(): Finding {
  return {
    code: 'WORKERS_INLINE',
    severity: 'info',
    message:
      "All work runs on the main thread, as the options say (workers: 'inline', or a transform that no worker can load): the host stands still meanwhile.",
    fix: 'Leave workers out, and name the module of a transform of your own.',
  }
}

const limits: Check = {
  name: 'the limits of this process',
  run: async ({ engine }) => limitFindings(await readLimits(), engine.pool.threads),
}

/** No repository has a fragment of this name. */
const NOBODYS = indexKey('0'.repeat(64))

const cache: Check = {
  name: 'the local cache',
  async run({ engine }) {
    const { cache: kept } = engine.repository.repository
    if (kept === NO_CACHE) return []
    const item = { key: NOBODYS, bytes: 1 }
    await kept.put(item, new Uint8Array(1))
    await kept.drop(item)
    const warning = engine.warnings.find(({ code }) => code === 'CACHE_UNAVAILABLE')
    if (kept.isOn || !warning) return []
    const fix = "Make its folder writable by this user alone, or name another: cache: { directory }; or cache: 'none'."
    return [{ ...warning, severity: 'warning', fix }]
  },
}

const keys: Check = {
  name: 'the keys',
  async run({ engine, signal }) {
    const { keys: own } = engine.repository.repository
    const troubles = await checkKeys(own, signal)
    const advice = await adviseKeys(own, signal)
    return [...troubles, ...advice].map((each) => ({ ...each, fix: each.fix ?? KEYS_FIX }))
  },
}

const KEYS_FIX =
  'Take the object from a mirror or a copy of the repository, while an engine that is open still has the keys.'

export const HOST_CHECKS: readonly Check[] = [workers, limits, cache, keys]
