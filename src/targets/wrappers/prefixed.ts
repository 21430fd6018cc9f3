/** A part of a target as a target of its own: several repositories in one bucket. */
import { join } from 'node:path'
import { BackupError } from '../../errors.ts'
import { checkKey, checkPrefix } from '../checks.ts'
import { type CallSignal, type ObjectInfo, type Target, wrapTarget } from '../target.ts'

/**
 * Everything below `prefix` (a relative path such as `tenants/42`, with or without a slash at its end) of another target;
 * nothing else can be reached. Keys are given and taken without it. `localPath` is the folder of that part. Closing it
 * closes the target. Throws INVALID_OPTIONS for a prefix that is no key.
 */
export function prefixed(target: Target, prefix: string): Target {
  const base = typeof prefix === 'string' && prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  checkKey(base)
  const start = `${base}/`
  const whole = (key: string): string => {
    checkKey(key)
    return start + key
  }
  return wrapTarget(target, {
    put: async (key, body, options) => await inside(start, target.put(whole(key), body, options)),
    get: async (key, options) => await inside(start, target.get(whole(key), options)),
    stat: async (key, options) => stripped(start, await inside(start, target.stat(whole(key), options))),
    list: (beginning, options) => listBelow(target, start, beginning, options),
    delete: async (keys, options) => await inside(start, target.delete(keys.map(whole), options)),
    ...(target.doctor && {
      doctor: (context) => target.doctor!({ ...context, prefix: start + (context.prefix ?? '') }),
    }),
    ...(target.localPath !== undefined && { localPath: join(target.localPath, base) }),
  } satisfies Partial<Target>)
}

async function* listBelow(
  target: Target,
  start: string,
  beginning: string,
  options: CallSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  checkPrefix(beginning)
  try {
    for await (const info of target.list(start + beginning, options)) yield stripped(start, info)
  } catch (error) {
    throw renamed(start, error)
  }
}

function stripped<T extends ObjectInfo | undefined>(start: string, info: T): T {
  return info && { ...info, key: info.key.slice(start.length) }
}

async function inside<T>(start: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw renamed(start, error)
  }
}

/** `details.key` names what the caller knows. */
function renamed(start: string, error: unknown): unknown {
  if (!BackupError.is(error) || typeof error.details.key !== 'string') return error
  const { code, message, origin, retryable, details, hint, cause } = error
  const key = error.details.key
  return new BackupError(code, message, {
    origin,
    retryable,
    details: { ...details, key: key.startsWith(start) ? key.slice(start.length) : key },
    ...(hint !== undefined && { hint }),
    cause,
  })
}
