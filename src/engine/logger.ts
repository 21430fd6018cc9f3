/** The caller's logger, made harmless: it can be absent and it can throw, and neither concerns a run. */
import type { Logger } from './types/engine.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** Without a logger nothing is logged. A logger that throws is ignored: there is nowhere left to say so. */
export function guardLogger(logger?: Logger): Logger {
  const guarded = {} as Record<(typeof LEVELS)[number], Logger['debug']>
  for (const level of LEVELS) {
    guarded[level] = (fields, message) => {
      try {
        logger?.[level](fields, message)
      } catch {
        // See above.
      }
    }
  }
  return guarded
}

/** Calls the caller's code (a listener, a callback); what it throws, or rejects with, is logged and goes no further. */
export function callGuarded<A extends readonly unknown[]>(
  logger: Logger,
  what: string,
  fn: (...args: A) => unknown,
  ...args: A
): void {
  const failed = (error: unknown): void => logger.error({ err: error }, `${what} threw; the run goes on`)
  try {
    const result = fn(...args)
    if (isThenable(result)) result.then(undefined, failed)
  } catch (error) {
    failed(error)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
