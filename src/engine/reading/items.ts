/** `withReading` for what gives its items one by one. */
import type { BackupError } from '../../errors.ts'
import type { EngineContext } from '../types/context.ts'
import { beginReading, type Reading } from './reading.ts'

/** Everything ends with the iteration: at its end, at an error, and where the reader stops early. */
export async function* withReadingItems<T>(
  engine: EngineContext,
  signal: AbortSignal,
  body: (reading: Reading) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const reading = await beginReading(engine, signal)
  let failure: unknown = STOPPED
  try {
    yield* body(reading)
    failure = undefined
  } catch (error) {
    failure = error as BackupError
    throw error
  } finally {
    await reading.close(failure)
  }
}

const STOPPED = 'nobody wants the rest'
