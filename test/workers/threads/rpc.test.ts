import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { InlineThread } from '../../../src/workers/threads/inline-thread.ts'
import { type Handlers, Moved, type Session, type Thread } from '../../../src/workers/threads/rpc.ts'
import { ThreadPool } from '../../../src/workers/threads/thread-pool.ts'
import { createCrew } from '../fixtures/crew.ts'

const MIB = 2 ** 20
const crewFile = new URL('../fixtures/crew-worker.ts', import.meta.url)
const pool = new ThreadPool({ threads: 1, file: crewFile })

beforeAll(async () => {
  threads.worker = (await pool.lease()).threads[0]!
})
afterAll(() => pool.close())

const threads: Record<string, Thread> = { inline: new InlineThread(createCrew) }

async function withSession<T>(kind: string, use: (session: Session) => Promise<T>, handlers: Handlers = {}) {
  const session = await threads[kind]!.open('crew', { greeting: 'hello' }, handlers)
  try {
    return await use(session)
  } finally {
    await session.close()
  }
}

const flags = () => new Int32Array(new SharedArrayBuffer(8))
async function until(condition: () => boolean) {
  while (!condition()) await sleep(2)
}

describe.each(['worker', 'inline'])('calls (%s)', (kind) => {
  it('gives init to the service and answers calls', async () => {
    await withSession(kind, async (session) => {
      expect(await session.call('init', 0)).toEqual({ greeting: 'hello' })
      const value = { n: 1n, list: [1, 'two'], bytes: new Uint8Array([1, 2]), none: undefined }
      expect(await session.call('echo', value)).toEqual(value)
    })
  })

  it('keeps 1000 concurrent calls apart', async () => {
    await withSession(
      kind,
      async (session) => {
        const numbers = Array.from({ length: 1000 }, (_, n) => n)
        const answers = await Promise.all(numbers.map((n) => session.call(n % 2 ? 'echo' : 'ask', askDouble(n))))
        expect(answers).toEqual(numbers.map((n) => (n % 2 ? askDouble(n) : 2 * n)))
      },
      { double: (n: number) => 2 * n },
    )
  })

  it('lets a quick call overtake a slow one', async () => {
    await withSession(kind, async (session) => {
      const order: string[] = []
      const slow = session.call('later', 0).then(() => order.push('slow'))
      await session.call('echo', 0).then(() => order.push('quick'))
      await slow
      expect(order).toEqual(['quick', 'slow'])
    })
  })

  it('transfers 16 MiB there and back, and takes them away from the sender', async () => {
    await withSession(kind, async (session) => {
      const bytes = new Uint8Array(16 * MIB).fill(7)
      const answer = session.call<Uint8Array>('flip', bytes, [bytes.buffer, bytes.buffer])
      expect(bytes.byteLength).toBe(0)
      const flipped = await answer
      expect(flipped.byteLength).toBe(16 * MIB)
      expect(flipped.every((byte) => byte === 8)).toBe(true)
    })
  })

  it('copies what is not transferred', async () => {
    await withSession(kind, async (session) => {
      const bytes = new Uint8Array(8).fill(1)
      const answer = session.call<Uint8Array>('flip', bytes)
      bytes.fill(9)
      expect(await answer).toEqual(new Uint8Array(8).fill(2))
    })
  })

  it('transfers from the service to a handler and back', async () => {
    const handlers = { flip: (b: Uint8Array<ArrayBuffer>) => new Moved(b.fill(b[0]! + 1), [b.buffer]) }
    await withSession(
      kind,
      async (session) => {
        const bytes = new Uint8Array(MIB).fill(1)
        const answer = await session.call<{ flipped: Uint8Array; left: number }>('askFlip', bytes, [bytes.buffer])
        expect(answer.flipped).toEqual(new Uint8Array(MIB).fill(2))
        expect(answer.left).toBe(0)
      },
      handlers,
    )
  })

  it('lets a long service yield to other calls', async () => {
    await withSession(kind, async (session) => {
      const long = session.call<boolean>('yields', 1e9)
      expect(await session.call('echo', 'in between')).toBe('in between')
      session.abort()
      await expect(long).rejects.toMatchObject({ code: 'ABORTED' })
    })
  })
})

describe.each(['worker', 'inline'])('errors (%s)', (kind) => {
  it('come back whole', async () => {
    await withSession(kind, async (session) => {
      const error = await session.call('fail', 0).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(BackupError)
      const { code, origin, message, retryable, details, hint, cause } = error as BackupError
      expect({ code, origin, message, retryable, details, hint }).toEqual({
        code: 'TARGET_FULL',
        origin: 'target',
        message: 'No room.',
        retryable: true,
        details: { free: 7 },
        hint: 'Make room.',
      })
      expect((cause as Error).message).toBe('ENOSPC')
    })
  })

  it('that are not ours become INTERNAL, with the stack of where they happened', async () => {
    await withSession(kind, async (session) => {
      const error = await session.call('missing', 0).catch((e: unknown) => e as BackupError)
      expect(error).toMatchObject({ code: 'INTERNAL', details: { systemCode: 'ENOENT' } })
      expect((error as BackupError).details.stack).toContain('crew.ts')
    })
  })

  it('of handlers reach the service, and through it the caller', async () => {
    const handlers = {
      refuse: () => {
        throw new BackupError('TARGET_DENIED', 'Not allowed.', { origin: 'target' })
      },
    }
    await withSession(
      kind,
      async (session) => {
        await expect(session.call('ask', { method: 'refuse', args: 0 })).rejects.toMatchObject({
          code: 'TARGET_DENIED',
        })
        await expect(session.call('ask', { method: 'toString', args: 0 })).rejects.toMatchObject({ code: 'INTERNAL' })
        expect(await session.call('tellAndForget', 0)).toBe('told')
        expect(await session.call('echo', 'still there')).toBe('still there')
      },
      handlers,
    )
  })

  it('name values that cannot be sent, and the session lives on', async () => {
    await withSession(
      kind,
      async (session) => {
        await expect(session.call('echo', () => 0)).rejects.toThrow(/cannot be sent/)
        await expect(session.call('unsendable', 0)).rejects.toThrow(/cannot be sent/)
        await expect(session.call('ask', { method: 'unsendable', args: 0 })).rejects.toThrow(/cannot be sent/)
        expect(await session.call('echo', 1)).toBe(1)
      },
      { unsendable: () => () => 0 },
    )
  })

  it('of opening leave the thread usable', async () => {
    await expect(threads[kind]!.open('unopenable', {}, {})).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
    await withSession(kind, async (session) => expect(await session.call('echo', 1)).toBe(1))
  })
})

describe.each(['worker', 'inline'])('close (%s)', (kind) => {
  it('waits for calls under way, ends the service once, and refuses later calls', async () => {
    const closed = flags()
    const session = await threads[kind]!.open('crew', { closed }, {})
    const slow = session.call('later', 0)
    const closing = Promise.all([session.close(), session.close()])
    await expect(session.call('echo', 0)).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(closed[0]).toBe(0)
    expect(await slow).toBe('later')
    await closing
    expect(closed[0]).toBe(1)
  })

  it('passes on an error of the service', async () => {
    const session = await threads[kind]!.open('crew', { closeError: 'stuck drawer' }, {})
    await expect(session.close()).rejects.toMatchObject({ code: 'INTERNAL', message: 'stuck drawer' })
  })
})

describe.each(['worker', 'inline'])('abort (%s)', (kind) => {
  it('rejects calls under way and to come, keeps the reason, and spares other sessions', async () => {
    const closed = flags()
    const session = await threads[kind]!.open('crew', { closed }, { wait: () => new Promise(() => {}) })
    await withSession(kind, async (other) => {
      const reason = new Error('user left')
      const slow = other.call('later', 0)
      const waiting = session.call('ask', { method: 'wait', args: 0 })
      await session.call('echo', 0)
      session.abort(reason)
      session.abort('again')
      await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: reason })
      await expect(session.call('echo', 0)).rejects.toMatchObject({ code: 'ABORTED' })
      await session.close()
      expect(closed[0]).toBe(1)
      expect(await slow).toBe('later')
    })
  })

  it('does not begin handlers any more', async () => {
    let begun = 0
    const session = await threads[kind]!.open('crew', {}, { begin: () => ++begun })
    const asked = session.call('ask', { method: 'begin', args: 0 })
    session.abort()
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' })
    await session.close()
    expect(begun).toBe(0)
  })
})

describe('abort in a worker', () => {
  it('ends a synchronous loop, and close waits until it has ended', async () => {
    const state = flags()
    const session = await threads.worker!.open('crew', {}, {})
    const busy = session.call('busyUntilAborted', state)
    await until(() => Atomics.load(state, 0) === 1)
    session.abort()
    await expect(busy).rejects.toMatchObject({ code: 'ABORTED' })
    await session.close()
    expect(Atomics.load(state, 0)).toBe(2)
  })

  it('that comes during close cuts it short', async () => {
    const state = flags()
    const session = await threads.worker!.open('crew', {}, {})
    const busy = session.call('busyUntilAborted', state)
    const closing = session.close()
    await until(() => Atomics.load(state, 0) === 1)
    session.abort()
    await expect(busy).rejects.toMatchObject({ code: 'ABORTED' })
    await closing
  })
})

function askDouble(n: number) {
  return { method: 'double', args: n }
}
