/** Options of forgotten() and undoForget(). */
import { z } from 'zod'
import type { CallOptions } from '../types/run.ts'
import { parseOptions } from './index.ts'
import { callShape, signal, text } from './parts.ts'

const MIN_PREFIX = 4
const forgottenSchema = z.strictObject({ signal }, 'must be an object')
const callSchema: z.ZodType<CallOptions> = z.strictObject(callShape, 'must be an object')
const refSchema = z.strictObject({ snapshot: text(128, MIN_PREFIX) })

/** @throws BackupError INVALID_OPTIONS */
export function parseForgottenOptions(options: { signal?: AbortSignal | undefined } = {}): {
  signal?: AbortSignal | undefined
} {
  return parseOptions(forgottenSchema, options, 'forgotten')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseForgottenRef(snapshot: string): string {
  return parseOptions(refSchema, { snapshot }, 'undoForget').snapshot
}

/** @throws BackupError INVALID_OPTIONS */
export function parseUndoForgetOptions(options: CallOptions = {}): CallOptions {
  return parseOptions(callSchema, options, 'undoForget')
}
