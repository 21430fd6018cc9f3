/** Options are checked once, where they come in: an unknown key or a bad value is INVALID_OPTIONS with option, rule, value. */
import type { z } from 'zod'
import { BackupError } from '../../errors.ts'

export { assertCompatible } from '../../util/plugin.ts'

/** Names whose value never goes into a message, whatever it is. */
const SECRET = /key|pass|secret|token|credential|auth/i
const MAX_SHOWN = 80

/** INVALID_OPTIONS for one option. `rule` completes "must be …". */
export function invalidOption(option: string, rule: string, value: unknown, verb?: string): BackupError {
  const shown = describeValue(option, value)
  const of = verb === undefined ? '' : `${verb}: `
  return new BackupError('INVALID_OPTIONS', `${of}option '${option}' must be ${rule}, got ${shown}`, {
    origin: 'usage',
    details: { option, rule, value: shown, ...(verb === undefined ? {} : { verb }) },
  })
}

/** Checks `value` against a strict schema and gives a copy. @throws BackupError INVALID_OPTIONS */
export function parseOptions<S extends z.ZodType>(schema: S, value: unknown, verb: string): z.output<S> {
  const parsed = schema.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  throw toInvalidOptions(deepest(parsed.error.issues), value, verb)
}

type Issue = z.core.$ZodIssue

/** Of alternatives that all failed, the one that came furthest says most. */
function deepest(issues: readonly Issue[], base: readonly PropertyKey[] = []): Issue {
  const first = issues[0] as Issue
  const issue = { ...first, path: [...base, ...first.path] } as Issue
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors.filter((list) => list.length > 0).map((list) => deepest(list, issue.path))
  const best = inner.sort((a, b) => b.path.length - a.path.length)[0]
  return best !== undefined && best.path.length > issue.path.length ? best : issue
}

function toInvalidOptions(issue: Issue, root: unknown, verb: string): BackupError {
  if (issue.code === 'unrecognized_keys') return unknownOption(issue.path, issue.keys, verb)
  const option = pathName(issue.path)
  const value = valueAt(root, issue.path)
  if (value === undefined && has(root, issue.path)) return undefinedOption(option, verb)
  return invalidOption(option, ruleOf(issue), value, verb)
}

function unknownOption(path: readonly PropertyKey[], keys: readonly string[], verb: string): BackupError {
  const names = keys.map((key) => pathName([...path, key]))
  return new BackupError('INVALID_OPTIONS', `${verb}: unknown option ${names.map((n) => `'${n}'`).join(', ')}`, {
    origin: 'usage',
    details: { option: names[0] ?? '', rule: 'a known option', verb },
  })
}

/** Mostly an environment variable that is not set: taking the default instead would hide it. */
function undefinedOption(option: string, verb: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `${verb}: option '${option}' is given but undefined`, {
    origin: 'usage',
    details: { option, rule: 'a value, or left out', value: 'undefined', verb },
    hint: 'Leave the option out to get its default, or check the variable that it is filled from.',
  })
}

function ruleOf(issue: Issue): string {
  const text = issue.message.replace(/^Invalid input: expected /, 'a value of type ').replace(/, received .*$/, '')
  return text.replace(/^must be /, '')
}

function pathName(path: readonly PropertyKey[]): string {
  let name = ''
  for (const part of path) name += typeof part === 'number' ? `[${part}]` : `${name === '' ? '' : '.'}${String(part)}`
  return name === '' ? 'options' : name
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part]
  return value
}

function has(root: unknown, path: readonly PropertyKey[]): boolean {
  const parent = valueAt(root, path.slice(0, -1))
  return path.length > 0 && typeof parent === 'object' && parent !== null && (path.at(-1) as PropertyKey) in parent
}

/** Short, and never a secret: by the option's name, and objects only by what they are. */
function describeValue(option: string, value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (SECRET.test(option)) return `a hidden ${typeof value}`
  if (typeof value === 'string') return JSON.stringify(cut(value))
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString()
  return Array.isArray(value) ? `an array of ${value.length}` : `a value of type ${typeof value}`
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`
}
