/** The engine's events on eventemitter3, where a listener that throws would otherwise throw into the run. */
import { EventEmitter } from 'eventemitter3'
import type { EngineEvents } from '../events.ts'
import { callGuarded } from './logger.ts'
import type { Logger } from './types/engine.ts'

export type EventName = keyof EngineEvents
export type Listener<K extends EventName> = (payload: EngineEvents[K]) => void
type Guard = (payload: unknown) => void

export class EngineEmitter {
  readonly #emitter = new EventEmitter<string>()
  readonly #logger: Logger
  /** One guard for each listener, so that `off` finds what `on` added, whatever the event. */
  readonly #guards = new WeakMap<object, Guard>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  on<K extends EventName>(event: K, listener: Listener<K>): void {
    this.#emitter.on(event, this.#guard(listener))
  }

  once<K extends EventName>(event: K, listener: Listener<K>): void {
    this.#emitter.once(event, this.#guard(listener))
  }

  /** Takes away every registration of this listener for this event. */
  off<K extends EventName>(event: K, listener: Listener<K>): void {
    this.#emitter.off(event, this.#guard(listener))
  }

  emit<K extends EventName>(event: K, payload: EngineEvents[K]): void {
    this.#emitter.emit(event, payload)
  }

  listenerCount(event: EventName): number {
    return this.#emitter.listenerCount(event)
  }

  #guard<K extends EventName>(listener: Listener<K>): Guard {
    const known = this.#guards.get(listener)
    if (known) return known
    const guard: Guard = (payload) =>
      callGuarded(this.#logger, 'an event listener', listener, payload as EngineEvents[K])
    this.#guards.set(listener, guard)
    return guard
  }
}
