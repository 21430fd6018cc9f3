/** Options of the `keys` verbs. */
import { z } from 'zod'
import { SLOT_ID_PATTERN } from '../../model/ids.ts'
import { type Secret, secretOf } from '../../repository/key-slots-key.ts'
import type { Key } from '../types/engine.ts'
import type { AddKeyOptions, RotateOptions } from '../types/keys.ts'
import type { CallOptions } from '../types/run.ts'
import { parseOptions } from './index.ts'
import { callShape, flag, opt, signal, text } from './parts.ts'

const SLOT_RULE = "must be a key's id, as keys.list() gives it"

const lookSchema = z.strictObject({ signal }, 'must be an object')
const callSchema: z.ZodType<CallOptions> = z.strictObject(callShape, 'must be an object')
const addSchema: z.ZodType<AddKeyOptions> = z.strictObject({ ...callShape, label: text(256) }, 'must be an object')
const rotateSchema: z.ZodType<RotateOptions> = z.strictObject(
  { ...callShape, rekeyOldData: opt(flag) },
  'must be an object',
)
const slotSchema = z.strictObject({ slotId: z.string(SLOT_RULE).regex(SLOT_ID_PATTERN, SLOT_RULE) })

/** @throws BackupError INVALID_OPTIONS */
export function parseKeysLook(options: { signal?: AbortSignal | undefined } = {}): {
  signal?: AbortSignal | undefined
} {
  return parseOptions(lookSchema, options, 'keys')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseKeysCall(options: CallOptions = {}): CallOptions {
  return parseOptions(callSchema, options, 'keys')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseAddKey(options: AddKeyOptions): AddKeyOptions {
  return parseOptions(addSchema, options, 'keys.add')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseRotate(options: RotateOptions = {}): RotateOptions {
  return parseOptions(rotateSchema, options, 'keys.rotate')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseSlotId(slotId: string): string {
  return parseOptions(slotSchema, { slotId }, 'keys').slotId
}

/** @throws BackupError INVALID_OPTIONS for what `passphrase()` and its like did not make */
export function parseKey(key: Key): Secret {
  return secretOf(key)
}
