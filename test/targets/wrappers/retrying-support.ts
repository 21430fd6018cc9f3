import { memoryTarget } from '../../../src/targets/memory.ts'
import { type RetryingOptions, type RetryNotice, retrying } from '../../../src/targets/wrappers/retrying.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { faultyTarget, type PlannedFault } from '../../../src/testing/faulty-target.ts'

export const body = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text))
export const every = (
  operation: PlannedFault['operation'],
  fault: PlannedFault['fault'],
  count: number,
): PlannedFault[] => Array.from({ length: count }, (_, i) => ({ operation, nth: i + 1, fault }))

/** A retrying target that waits for nothing, and what it did. */
export function setUp(plan: PlannedFault[], options: RetryingOptions = {}) {
  const memory = memoryTarget()
  const calls = countingTarget(memory)
  const faulty = faultyTarget(calls, plan)
  const notices: RetryNotice[] = []
  let now = 0
  const sleep = async (ms: number): Promise<void> => {
    now += ms
  }
  const clock = { monotonicMs: () => now, sleep }
  const defaults = { clock, random: () => 0.5, onRetry: (notice: RetryNotice) => void notices.push(notice) }
  return { memory, calls, faulty, notices, target: retrying(faulty, { ...defaults, ...options }) }
}
