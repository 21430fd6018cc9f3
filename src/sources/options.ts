import type { z } from 'zod'
import { BackupError } from '../errors.ts'

/** Checks the options of a source or sink against a strict schema. @throws BackupError INVALID_OPTIONS */
export function parseSourceOptions<S extends z.ZodType>(schema: S, value: unknown, maker: string): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    throw invalidSourceOption(maker, String(issue.keys[0]), 'is not a known option')
  }
  throw invalidSourceOption(maker, issue.path.join('.') || 'options', issue.message)
}

/** `rule` completes "option 'x' …". */
export function invalidSourceOption(maker: string, option: string, rule: string, hint?: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `${maker}(): option '${option}' ${rule}`, {
    origin: 'usage',
    details: { option, rule },
    ...(hint === undefined ? {} : { hint }),
  })
}
