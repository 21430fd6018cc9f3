/** Puts an engine together from its checked options and what opening the repository gave. */
import { hostname } from 'node:os'
import type { Clock } from '../util/clock.ts'
import { systemClock } from '../util/clock.ts'
import { Lifetime } from './close.ts'
import { EngineEmitter } from './emitter.ts'
import { guardLogger } from './logger.ts'
import { rememberPin } from './pin.ts'
import { RunQueue } from './run/queue.ts'
import { RunRegistry } from './run/runs.ts'
import type { EngineContext, EngineParts } from './types/context.ts'
import type { EngineOptions, Logger } from './types/engine.ts'

const DEFAULT_CONCURRENT_RUNS = 4

/** What there is before the repository is opened, e.g. for a target that wants to say that it tries again. */
export interface EngineBasics {
  readonly logger: Logger
  readonly emitter: EngineEmitter
  readonly clock: Clock
  readonly host: string
}

export function makeBasics(options: EngineOptions): EngineBasics {
  const logger = guardLogger(options.logger)
  return {
    logger,
    emitter: new EngineEmitter(logger),
    clock: options.clock ?? systemClock,
    host: options.host ?? hostname(),
  }
}

export function makeContext(options: EngineOptions, basics: EngineBasics, parts: EngineParts): EngineContext {
  const runs = new RunRegistry()
  const context = {
    ...parts,
    ...basics,
    sources: [...(options.sources ?? [])],
    defaults: { ...options.defaults },
    ...(options.retention && { retention: options.retention }),
    runs,
    queue: new RunQueue(options.maxConcurrentRuns ?? DEFAULT_CONCURRENT_RUNS),
    lifetime: new Lifetime({ clock: basics.clock, runs, closers: parts.closers }),
  }
  if (options.pin) rememberPin(context, options.pin)
  return context
}
