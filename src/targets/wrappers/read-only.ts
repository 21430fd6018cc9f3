/** Refuses every change: for restores and checks that must not touch the repository. */
import { BackupError } from '../../errors.ts'
import { type Target, wrapTarget } from '../target.ts'

/** Reads as before; `put` and `delete` reject with TARGET_DENIED, not retryable. */
export function readOnly(target: Target): Target {
  return wrapTarget(target, {
    put: async (key) => {
      throw denied('put', key, target)
    },
    delete: async (keys) => {
      throw denied('delete', keys[0] ?? '', target)
    },
  } satisfies Partial<Target>)
}

function denied(operation: string, key: string, target: Target): BackupError {
  return new BackupError('TARGET_DENIED', `the target ${target.name} was opened for reading only`, {
    origin: 'target',
    details: { operation, key },
    hint: 'Use the target without readOnly() to change the repository.',
  })
}
