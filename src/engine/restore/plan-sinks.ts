/** Sinks are objects and a plan is plain data: an engine keeps those of its own plans by their digest. */
import { BackupError } from '../../errors.ts'
import type { Sink } from '../../sources/sink.ts'
import type { EngineContext } from '../types/context.ts'

const MAX_KEPT = 100
const kept = new WeakMap<EngineContext, Map<string, Readonly<Record<string, Sink>>>>()

export function rememberSinks(engine: EngineContext, digest: string, sinks: Readonly<Record<string, Sink>>): void {
  const plans = kept.get(engine) ?? new Map<string, Readonly<Record<string, Sink>>>()
  kept.set(engine, plans)
  plans.set(digest, sinks)
  if (plans.size > MAX_KEPT) plans.delete(plans.keys().next().value as string)
}

/** @throws BackupError PLAN_FOREIGN */
export function recallSinks(engine: EngineContext, digest: string): Readonly<Record<string, Sink>> {
  const sinks = kept.get(engine)?.get(digest)
  if (sinks) return sinks
  throw new BackupError('PLAN_FOREIGN', 'This plan restores into sinks that only the engine that made it knows.', {
    origin: 'usage',
    hint: 'Make the plan with this engine, or restore into { folder }.',
  })
}
