import type { CallOptions } from './run.ts'

export interface DoctorOptions extends CallOptions {
  /** Names of the engine's sources to look at. Default: all. */
  sources?: readonly string[]
  /** Milliseconds that one check may take before it is the finding CHECK_TIMED_OUT. Default 30,000. */
  checkTimeoutMs?: number
  /** Where less than this share of the target's space is free, that is the finding SPACE_LOW. 0 to 1; default 0.1. */
  minFreeShare?: number
}
