/** Options of doctor(). */
import { z } from 'zod'
import type { DoctorOptions } from '../types/doctor.ts'
import { invalidOption, parseOptions } from './index.ts'
import { callShape, opt, positive, words } from './parts.ts'

const SHARE_RULE = 'must be a number from 0 to 1'
const CHECK_TIMEOUT_MS = 30_000
const MIN_FREE_SHARE = 0.1

const schema: z.ZodType<DoctorOptions> = z.strictObject(
  {
    ...callShape,
    sources: opt(words),
    checkTimeoutMs: opt(positive),
    minFreeShare: opt(z.number(SHARE_RULE).min(0, SHARE_RULE).max(1, SHARE_RULE)),
  },
  'must be an object',
)

export type ParsedDoctorOptions = DoctorOptions & Required<Pick<DoctorOptions, 'checkTimeoutMs' | 'minFreeShare'>>

/** @throws BackupError INVALID_OPTIONS */
export function parseDoctorOptions(
  options: DoctorOptions = {},
  engine: { readonly sources: readonly { readonly name: string }[] } = { sources: [] },
): ParsedDoctorOptions {
  const parsed = parseOptions(schema, options, 'doctor')
  const unknown = parsed.sources?.find((name) => engine.sources.every((source) => source.name !== name))
  if (unknown !== undefined) throw invalidOption('sources', "names of the engine's sources", unknown, 'doctor')
  return { checkTimeoutMs: CHECK_TIMEOUT_MS, minFreeShare: MIN_FREE_SHARE, ...parsed }
}
