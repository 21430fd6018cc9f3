/** Whether the repository can be opened next time: all read anew, since what an engine remembers proves nothing. */
import { BackupError } from '../../errors.ts'
import { readConfigs, verifyConfigs } from '../config-chain.ts'
import { PREFIX, slotKey } from '../keys-layout.ts'
import { checkSlots, straySlots } from './find-slots.ts'
import { listConfigs, type RepositoryKeys } from './repository-keys.ts'

/** Something that is wrong with a config or a key slot. */
export interface KeyTrouble {
  readonly object?: string
  readonly code: string
  readonly severity: 'error' | 'warning' | 'info'
  readonly message: string
  readonly fix?: string
}

/** Configs and slots. Only a failure of the target rejects. */
export async function checkKeys(keys: RepositoryKeys, signal?: AbortSignal): Promise<KeyTrouble[]> {
  const troubles = await checkConfigs(keys, signal)
  if (!keys.keyring.encrypted) return troubles
  const slots = await checkSlots(keys, signal)
  const lost = slots.flatMap((each) => ('error' in each ? [each] : []))
  if (slots.every((each) => 'error' in each && each.error.code === 'OBJECT_MISSING')) return [...troubles, noSlots()]
  return [...troubles, ...lost.map(({ slot, error }) => troubleOf(error, slotKey(slot)))]
}

/** What is worth knowing of the keys although nothing is broken. */
export async function adviseKeys(keys: RepositoryKeys, signal?: AbortSignal): Promise<KeyTrouble[]> {
  if (!keys.keyring.encrypted) return []
  const advice: KeyTrouble[] = (await straySlots(keys, signal)).map(stray)
  const { holder, slots } = keys
  if (holder && slots[holder.slot] === undefined) advice.push(ownTakenAway(holder.slot))
  if (Object.keys(slots).length === 1) advice.push(onlyOne())
  return advice
}

async function checkConfigs(keys: RepositoryKeys, signal?: AbortSignal): Promise<KeyTrouble[]> {
  const { target, keyring } = keys
  try {
    const numbers = await listConfigs(target, signal)
    if (numbers.length === 0) return [noConfig()]
    await keys.refresh(signal)
    verifyConfigs(await readConfigs(target, numbers, signal), keyring)
    return []
  } catch (error) {
    if (!BackupError.is(error) || (error.origin !== 'repository' && error.code !== 'KEY_WRONG')) throw error
    return [troubleOf(error)]
  }
}

function troubleOf({ code, message, hint, details }: BackupError, object?: string): KeyTrouble {
  const key = object ?? (typeof details.key === 'string' ? details.key : undefined)
  return { code, severity: 'error', message, ...(key !== undefined && { object: key }), ...(hint && { fix: hint }) }
}

function noConfig(): KeyTrouble {
  return {
    object: PREFIX.config,
    code: 'OBJECT_MISSING',
    severity: 'error',
    message: 'The config of the repository is gone.',
  }
}

function noSlots(): KeyTrouble {
  const message = 'There is no key slot: whoever opens the repository next cannot, whatever key they have.'
  return { object: PREFIX.keys, code: 'OBJECT_MISSING', severity: 'error', message }
}

function stray(object: string): KeyTrouble {
  return {
    object,
    code: 'KEY_UNLISTED',
    severity: 'warning',
    message: 'A key slot lies there that no config names: a change of keys ended early, or somebody has put it back.',
    fix: 'It opens nothing. The next change of keys deletes it.',
  }
}

function ownTakenAway(slot: string): KeyTrouble {
  return {
    object: slotKey(slot),
    code: 'KEY_TAKEN_AWAY',
    severity: 'warning',
    message: 'The key that this engine was opened with has been removed: it works until the keys are rotated.',
    fix: 'Open the engine with another key.',
  }
}

function onlyOne(): KeyTrouble {
  return {
    code: 'KEY_ONLY_ONE',
    severity: 'info',
    message: 'There is one key alone: whoever loses it loses the repository.',
    fix: 'Print a recovery sheet with keys.recoverySheet(), or add a second key.',
  }
}
