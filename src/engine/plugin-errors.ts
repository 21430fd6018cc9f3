/** A plugin's plain error gets the code and origin of its part, so that it is never taken for another's. */
import { BackupError, type ErrorCode, type ErrorOrigin } from '../errors.ts'

export async function fromPlugin<T>(
  origin: ErrorOrigin,
  code: ErrorCode,
  name: string,
  call: () => PromiseLike<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (BackupError.is(error)) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new BackupError(code, `The ${origin} of ${name} failed: ${message}`, {
      origin,
      details: { name },
      cause: error,
    })
  }
}
