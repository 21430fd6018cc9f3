/** The bad lines that are tried: each kind of fault by itself, and all of them at the same time. */
import type { BadLine } from './bad-line.ts'

const RATE = 0.1

export const LINES: readonly BadLine[] = [
  { name: '503 SlowDown', plans: [{ fault: 'slow-down', rate: RATE }] },
  { name: '500', plans: [{ fault: 'failed', rate: RATE }] },
  { name: 'connection reset', plans: [{ fault: 'reset', rate: RATE }] },
  { name: 'time-out', plans: [{ fault: 'time-out', rate: RATE }] },
  { name: 'truncated body', plans: [{ fault: 'truncated', rate: RATE }] },
  {
    name: 'wrong checksum',
    plans: [
      { fault: 'bent', rate: RATE },
      { fault: 'bent-upload', rate: RATE },
    ],
  },
  { name: 'lost reply', plans: [{ fault: 'lost-reply', rate: RATE }] },
]

/** Nearly every second request fails then. */
export const ALL_TOGETHER: BadLine = {
  name: 'all together',
  plans: LINES.flatMap(({ plans }) => plans),
  retrying: { attempts: 12, sharedRetries: 1000 },
}
