/** What the broken targets share: what one is, and the names of the suite's tests. */
import type { memoryTarget } from '../../../src/targets/memory.ts'
import type { Target } from '../../../src/targets/target.ts'

export type Memory = ReturnType<typeof memoryTarget>
export type Body = Uint8Array<ArrayBuffer>

export interface Broken {
  /** The test of the promise that is broken, and all others that fail as well. */
  readonly fails: readonly [string, ...string[]]
  /** What the first of them says. */
  readonly because: RegExp
  /** Default: quick. */
  readonly profile?: 'full'
  readonly callMs?: number
  /** Breaks a memory target. */
  wrap(inner: Memory): Target
}

export const EMPTY = 'gives back 0 bytes'
/** Of the objects that have any. */
export const SIZES = [
  'gives back 1 bytes',
  'gives back 4096 bytes',
  'gives back 1048577 bytes',
  'gives back 18874368 bytes',
] as const
export const RANGE = 'gives back exactly the range'
export const SHORT = 'never gives fewer bytes than asked'
export const KEYS = 'takes keys of a-z, 0-9, dot, underscore, dash and slash'
export const REFUSES = 'refuses all other keys'
export const MISSING = 'tells a missing object'
export const LIST = 'lists every key below nested prefixes once'
export const PREFIX = 'takes a prefix as the beginning of a string'
export const THROUGHOUT = 'lists what is there throughout while other objects come and go'
export const STOPS = 'stops listing when the reader does'
export const DELETE = 'deletes the given keys and nothing else'
export const DELETE_MISSING = 'does not mind missing keys, the same key twice, or none'
export const CREATE = 'creates only where nothing is'
export const RACE = 'lets exactly one of 16 create'
export const REPLACED = 'shows the whole old or the whole new object while it is replaced'
export const CREATED = 'shows nothing or the whole object while it is created'
export const BODY = 'neither changes nor keeps the body'
export const RESULT = 'gives results that nobody else holds'
export const SIDE_BY_SIDE = 'does not mix up calls that run side by side'
export const ABORTED = 'does nothing once aborted'
export const HALF_DONE = 'leaves nothing half done when aborted on the way'
export const SIGNAL = 'lets go of the signal'
export const NO_MORE = 'changes nothing any more once it has rejected'
export const CLOSED = 'leaves nothing running and no file open'
/** All that compare what they get with what they put. */
export const READS_BACK = [
  ...SIZES,
  RANGE,
  RESULT,
  CREATE,
  RACE,
  REPLACED,
  CREATED,
  BODY,
  SIDE_BY_SIDE,
  ABORTED,
  HALF_DONE,
] as const
