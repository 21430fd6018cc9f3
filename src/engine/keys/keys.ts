/** `engine.keys`: checks options, hands on. Each change is a run, with events and a report. */
import type { Finding } from '../../events.ts'
import type { Secret } from '../../repository/key-slots-key.ts'
import { addKey, changeKey, removeKey, rotateKeys } from '../../repository/keys/change-keys.ts'
import { adviseKeys, checkKeys } from '../../repository/keys/check-keys.ts'
import { linkAbort, race } from '../../util/abort.ts'
import { parseAddKey, parseKey, parseKeysCall, parseKeysLook, parseRotate, parseSlotId } from '../options/keys.ts'
import { parsePlanPruneOptions, parsePruneOptions } from '../options/prune.ts'
import { planPrune } from '../prune/plan-prune.ts'
import { prune } from '../prune/run-prune.ts'
import { withRun } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { KeySlot, Keys, KeysResult, RotateOptions, RotateResult } from '../types/keys.ts'
import type { PruneResult } from '../types/prune.ts'
import type { CallOptions } from '../types/run.ts'
import { freshRecoveryKey, recoveryLabel, recoverySheet } from './recovery-sheet.ts'
import { keySlots } from './slots.ts'

export type { Keys } from '../types/keys.ts'

type Signal = { signal: AbortSignal }
type Action = KeysResult['action']

/** `assertOpen` before anything else, so that a closed engine says so whatever the options are. */
export function makeKeys(engine: EngineContext): Keys {
  const keysOf = () => engine.repository.repository.keys
  const change = (
    action: Action,
    options: CallOptions,
    body: (options: Signal & { now: Date }) => Promise<string | undefined>,
    facts: { label?: string } = {},
  ): Promise<KeysResult> => {
    const call = {
      verb: 'keys' as const,
      options,
      exclusive: ['keys'],
      describe: { action, ...facts },
      summarize: ({ generation, slots }: { generation: number; slots: KeySlot[] }) => ({
        counts: { generation, slots: slots.length },
      }),
    }
    return withRun(engine, call, async ({ signal }) => {
      const slot = await body({ signal, now: engine.clock.now() })
      const { keyring } = keysOf()
      const slots = await keySlots(keysOf(), signal)
      return { action, ...(slot !== undefined && { slot }), generation: keyring.newestEpoch, slots }
    })
  }
  const add = async (action: Action, secret: Secret, label: string, options: CallOptions): Promise<KeysResult> =>
    change(action, options, async (run) => (await addKey(keysOf(), secret, label, run)).slot, { label })

  return {
    async list(options) {
      const { signal } = parseKeysLook(options)
      return await looking(engine, signal, async (linked) => {
        await keysOf().refresh(linked)
        return keySlots(keysOf(), linked)
      })
    },
    async add(key, options) {
      engine.lifetime.assertOpen()
      const { label, ...call } = parseAddKey(options)
      return theSlot(await add('add', parseKey(key), label, call))
    },
    async change(slotId, key, options) {
      engine.lifetime.assertOpen()
      const [id, secret] = [parseSlotId(slotId), parseKey(key)]
      return theSlot(
        await change(
          'change',
          parseKeysCall(options),
          async (run) => (await changeKey(keysOf(), id, secret, run)).slot,
        ),
      )
    },
    async remove(slotId, options) {
      engine.lifetime.assertOpen()
      const id = parseSlotId(slotId)
      await change('remove', parseKeysCall(options), async (run) => {
        await removeKey(keysOf(), id, run)
        return id
      })
    },
    async rotate(options) {
      engine.lifetime.assertOpen()
      const { rekeyOldData = false, ...call } = parseRotate(options)
      const result: RotateResult = await change('rotate', call, async (run) => {
        await rotateKeys(keysOf(), run)
        return undefined
      })
      return rekeyOldData ? { ...result, rekeyed: await rekey(engine, call) } : result
    },
    async verify(options) {
      const { signal } = parseKeysLook(options)
      return await looking(engine, signal, async (linked): Promise<Finding[]> => {
        const troubles = await checkKeys(keysOf(), linked)
        return [...troubles, ...(await adviseKeys(keysOf(), linked))]
      })
    },
    async recoverySheet(options) {
      engine.lifetime.assertOpen()
      const call = parseKeysCall(options)
      const fresh = freshRecoveryKey()
      const now = engine.clock.now()
      const { slot } = await add('recovery-sheet', fresh.secret, recoveryLabel(now), call)
      const { repository } = engine.repository
      return recoverySheet({
        repositoryId: engine.repository.id,
        target: repository.target,
        slot: slot!,
        now,
        text: fresh.text,
      })
    },
  }
}

/** The call's own id is that of the rotation. */
async function rekey(engine: EngineContext, { runId: _, ...call }: RotateOptions): Promise<PruneResult> {
  const { onProgress: __, ...quiet } = call
  const plan = await planPrune(engine, parsePlanPruneOptions({ ...quiet, rekeyOldData: true }))
  return await prune(engine, plan, parsePruneOptions({ ...call, confirm: plan.digest }))
}

function theSlot({ slot, slots }: KeysResult): KeySlot {
  return slots.find(({ id }) => id === slot)!
}

async function looking<T>(
  engine: EngineContext,
  signal: AbortSignal | undefined,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  engine.lifetime.assertOpen()
  const linked = linkAbort(signal, engine.lifetime.signal)
  try {
    return await race(body(linked.signal), linked.signal)
  } finally {
    linked.dispose()
  }
}
