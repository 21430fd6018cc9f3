/** pin: what the repository shows now, to be kept elsewhere. */
import { z } from 'zod'
import type { Pin } from '../model/pin.ts'
import { checkPin, pinOf } from '../repository/pins.ts'
import { linkAbort, race } from '../util/abort.ts'
import { parseOptions } from './options/index.ts'
import { signal } from './options/parts.ts'
import type { EngineContext } from './types/context.ts'
import type { PinOptions } from './types/engine.ts'

/** Of each engine the last pin that it was given or has made. */
const known = new WeakMap<EngineContext, Pin>()

export function rememberPin(engine: EngineContext, pin: Pin): void {
  known.set(engine, pin)
}

const schema: z.ZodType<PinOptions> = z.strictObject({ signal }, 'must be an object')

/** @throws BackupError ROLLED_BACK where it is less than this engine was opened with, or has pinned before */
export async function takePin(engine: EngineContext, options: PinOptions = {}): Promise<Pin> {
  const { repository } = engine.repository
  const linked = linkAbort(parseOptions(schema, options, 'pin').signal, engine.lifetime.signal)
  try {
    return await race(taken(engine, repository, linked.signal), linked.signal)
  } finally {
    linked.dispose()
  }
}

async function taken(
  engine: EngineContext,
  place: EngineContext['repository']['repository'],
  signal: AbortSignal,
): Promise<Pin> {
  const pin = await pinOf(place, engine.clock.now(), { signal })
  const before = known.get(engine)
  if (before) await checkPin(place, before, { signal })
  known.set(engine, pin)
  return pin
}
