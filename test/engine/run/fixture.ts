/** A backup whose body is the test's. */
import { type RunContext, withRun } from '../../../src/engine/run/context.ts'
import type { CallOptions } from '../../../src/engine/types/index.ts'
import { backupBody, type Shell } from '../fixture.ts'

export type Body = (run: RunContext) => Promise<void>

export function backup(shell: Shell, options: CallOptions = {}, body: Body = async () => {}, exclusive: string[] = []) {
  return withRun(
    shell.context,
    { verb: 'backup', options, exclusive, describe: { tags: ['x'] }, summarize: (r) => ({ snapshot: r.snapshot.id }) },
    async (run) => {
      await body(run)
      return backupBody()
    },
  )
}

/** Hangs until aborted, as a well-behaved body does. */
export const untilAborted: Body = (run) =>
  new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(new Error('torn down')), { once: true }))
