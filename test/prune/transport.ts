/** Targets that stand for others, and sessions of services that run right here. */
import { type Target, wrapTarget } from '../../src/targets/target.ts'
import { type Handlers, Moved, type Service, type Session } from '../../src/workers/threads/rpc.ts'

/** Whatever the target is now. */
export function following(now: { target: Target }): Target {
  return {
    apiVersion: 1,
    name: 'following',
    traits: { ...now.target.traits, maxConcurrency: 1 },
    put: (...args) => now.target.put(...args),
    get: (...args) => now.target.get(...args),
    stat: (...args) => now.target.stat(...args),
    list: (...args) => now.target.list(...args),
    delete: (...args) => now.target.delete(...args),
    close: async () => {},
  }
}

/** A transport that repeats a create whose reply it did not get, whatever has happened meanwhile. */
export function repeating(target: Target): Target {
  return wrapTarget(target, {
    put: (key, body, options) => target.put(key, body, options).catch(() => target.put(key, body, options)),
  } satisfies Partial<Target>)
}

export function hostOf(handlers: Handlers) {
  return {
    aborted: false,
    throwIfAborted: () => undefined,
    yield: async () => undefined,
    call: async (method: string, args: unknown) => unmoved(await handlers[method]!(args)),
  }
}

export function sessionOf(service: Service): Session {
  return {
    call: async <T>(method: string, args: unknown) => unmoved(await service.call(method, args)) as T,
    abort: () => undefined,
    close: async () => undefined,
  }
}

function unmoved(value: unknown): unknown {
  return value instanceof Moved ? value.value : value
}
