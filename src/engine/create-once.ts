/**
 * Whether the target creates once. A store of which nobody has said so shows it at the first record that is put, so it is asked
 * when a run has put its `runs/<id>`, never before.
 */
import type { Warning } from '../events.ts'
import type { RunContext } from './run/context.ts'
import type { EngineContext } from './types/context.ts'

const warned = new WeakSet<RunContext>()

/** Warns once in each run. To be called after the run's own `runs/<id>` is there. */
export function warnOfCreateOnce({ target }: Pick<EngineContext, 'target'>, run: RunContext): void {
  if (target.traits.createOnly || warned.has(run)) return
  warned.add(run)
  run.warn(noCreateOnce(target.name))
}

function noCreateOnce(target: string): Warning {
  return {
    code: 'NO_CREATE_ONCE',
    message: `${target} cannot create an object only if it does not exist; let one process at a time write to this repository`,
    details: { target },
  }
}
