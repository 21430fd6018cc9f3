/** The run on whose behalf something is done: for what is shared by all runs, and yet has to say whose it was. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { RunContext } from './context.ts'

const storage = new AsyncLocalStorage<RunContext>()

export function asCurrent<R>(run: RunContext, body: (run: RunContext) => Promise<R>): Promise<R> {
  return storage.run(run, () => body(run))
}

/** Undefined outside of runs that have events. */
export function currentRun(): RunContext | undefined {
  return storage.getStore()
}
