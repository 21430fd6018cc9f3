/** From an engine to what is inside of it, for functions that take engines as users have them. */
import type { EngineContext } from './types/context.ts'

const contexts = new WeakMap<object, EngineContext>()

export function keepContext(engine: object, context: EngineContext): void {
  contexts.set(engine, context)
}

/** Undefined for what is no engine of this copy of the package. */
export function contextOf(engine: object): EngineContext | undefined {
  return contexts.get(engine)
}
