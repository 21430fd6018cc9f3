/** Limits of time on a machine that has something else to do. */
import { availableParallelism, loadavg } from 'node:os'

/** `ms`, and as many times that as there are programs for each core: whoever is measured has to wait its turn then. */
export function patience(ms: number): number {
  return ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism())
}
