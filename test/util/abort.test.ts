import { describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import { abortError, linkAbort, onAbort, race, throwIfAborted } from '../../src/util/abort.ts'
import { countingController, deferred } from './fake-clock.ts'

describe('abortError', () => {
  it('is ABORTED with the reason as its cause', () => {
    const error = abortError('cancelled by user')
    expect(error).toMatchObject({ code: 'ABORTED', origin: 'usage', cause: 'cancelled by user' })
    expect(error.message).toContain('cancelled by user')
  })
  it('keeps a BackupError, which says more', () => {
    const timeout = new BackupError('TIMEOUT', 'too long', { origin: 'usage', retryable: true })
    expect(abortError(timeout)).toBe(timeout)
  })
})

describe('throwIfAborted', () => {
  it('throws only when aborted', () => {
    throwIfAborted()
    throwIfAborted(new AbortController().signal)
    expect(() => throwIfAborted(AbortSignal.abort('x'))).toThrow(expect.objectContaining({ code: 'ABORTED' }))
  })
})

describe('onAbort', () => {
  it('calls at once when aborted already', () => {
    let reason: unknown
    onAbort(AbortSignal.abort('before'), (r) => {
      reason = r
    })
    expect(reason).toBe('before')
  })
  it('is quiet once removed', () => {
    const { controller, listeners } = countingController()
    let calls = 0
    const remove = onAbort(controller.signal, () => calls++)
    expect(listeners()).toBe(1)
    remove()
    expect(listeners()).toBe(0)
    controller.abort()
    expect(calls).toBe(0)
  })
})

describe('linkAbort', () => {
  it('follows whichever aborts first and leaves the others', () => {
    const a = countingController()
    const b = countingController()
    const linked = linkAbort(a.controller.signal, undefined, b.controller.signal)
    b.controller.abort('b')
    expect(linked.signal.reason).toBe('b')
    expect(a.listeners()).toBe(0)
  })
  it('is aborted from the start by an aborted one', () => {
    const a = countingController()
    const linked = linkAbort(a.controller.signal, AbortSignal.abort('old'))
    expect(linked.signal.reason).toBe('old')
    expect(a.listeners()).toBe(0)
  })
  it('dispose takes its listeners away', () => {
    const a = countingController()
    const linked = linkAbort(a.controller.signal)
    linked.dispose()
    expect(a.listeners()).toBe(0)
    a.controller.abort()
    expect(linked.signal.aborted).toBe(false)
  })
})

describe('race', () => {
  it('settles as the promise does and leaves no listener', async () => {
    const a = countingController()
    expect(await race(Promise.resolve(7), a.controller.signal)).toBe(7)
    await expect(race(Promise.reject(new Error('no')), a.controller.signal)).rejects.toThrow('no')
    expect(a.listeners()).toBe(0)
  })
  it('rejects on abort, and a later failure of the promise is not unhandled', async () => {
    const controller = new AbortController()
    const never = deferred()
    const raced = race(never.promise, controller.signal)
    controller.abort('stop')
    await expect(raced).rejects.toMatchObject({ code: 'ABORTED', cause: 'stop' })
    never.reject(new Error('late'))
  })
})
