import type { BackupEngine } from '../engine/engine.ts'
import type { EngineOptions } from '../engine/types/index.ts'
import { cheapKey, rawKey } from '../repository/key-slots-key.ts'
import { memoryTarget } from '../targets/memory.ts'
import { fakeClock } from './fake-clock.ts'

/** No secret: it is in every copy of the package. */
const TEST_KEY = new Uint8Array(32).fill(7)

/**
 * An engine for tests, ready in milliseconds: a memory target, a key that needs no derivation, no threads, no cache, and
 * a clock that stands still. Each option of `BackupEngine.open` may be given instead; a `passphrase()` is made cheap to derive.
 *
 * The clock moves only if you move it: a test whose engine waits (retries after a fault of the target, time limits) gives a
 * `fakeClock()` of its own and says `await clock.until(engine.backup())`.
 *
 * NEVER keep real data in a repository made by it: the passphrase is a thousand times cheaper to guess.
 */
export async function testEngine(options: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  // Not before it is needed: the suites of conformance work without the engine.
  const { BackupEngine } = await import('../engine/engine.ts')
  const { key = rawKey(TEST_KEY) } = options
  return await BackupEngine.open({
    target: memoryTarget(),
    workers: 'inline',
    cache: 'none',
    clock: fakeClock(),
    host: 'test',
    ...options,
    key: key === 'none' ? key : cheapKey(key),
  })
}
