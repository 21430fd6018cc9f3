/** A write to the first target and its mirrors. */
import { BackupError } from '../../errors.ts'
import { linkAbort, throwIfAborted } from '../../util/abort.ts'
import type { PutOptions, Target } from '../target.ts'
import { Allowance, type MirrorLane, type MirrorWrite } from './mirror-lane.ts'

export interface MirrorWritesOptions {
  primary: Target
  lanes: readonly MirrorLane[]
  /** Targets that must have a write before it is done, the first one included. */
  writeQuorum: number
  maxWaitingBytes: number
}

export class MirrorWrites {
  readonly #primary: Target
  readonly #lanes: readonly MirrorLane[]
  /** Mirrors that must have it. */
  readonly #needed: number
  /** Bytes of bodies that wait for mirrors. */
  readonly #waiting: Allowance

  constructor({ primary, lanes, writeQuorum, maxWaitingBytes }: MirrorWritesOptions) {
    this.#primary = primary
    this.#lanes = lanes
    this.#needed = writeQuorum - 1
    this.#waiting = new Allowance(maxWaitingBytes)
  }

  async put(key: string, body: Uint8Array<ArrayBuffer>, { signal, sha256 }: PutOptions): Promise<boolean> {
    await this.#withBody(body, signal, async (own, keep) => {
      const first = (call: AbortSignal): Promise<unknown> => this.#primary.put(key, body, { signal: call, sha256 })
      const run = (lane: MirrorLane, call: AbortSignal): Promise<unknown> =>
        lane.target.put(key, own, { signal: call, sha256 })
      await this.#everywhere({ operation: 'put', keys: [key] }, first, run, signal, keep)
    })
    return true
  }

  /**
   * The first target alone decides who creates an object; only when it has said yes do the mirrors get it, after all that
   * was written before. So of any number of racers, in any number of processes, one wins, and a mirror has a
   * commit only with what it needs.
   */
  async create(key: string, body: Uint8Array<ArrayBuffer>, { signal }: PutOptions): Promise<boolean> {
    const about = { operation: 'put' as const, keys: [key] }
    let created = false
    await this.#withBody(body, signal, async (own, keep) => {
      created = await this.#decide(key, body, signal)
      if (!created) return
      const run = (lane: MirrorLane, call: AbortSignal): Promise<void> => copyCreated(lane.target, key, own, call)
      await this.#everywhere({ ...about, afterAll: true }, async () => undefined, run, signal, keep)
    })
    return created
  }

  async #decide(key: string, body: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined): Promise<boolean> {
    throwIfAborted(signal)
    try {
      return await this.#primary.put(key, body, { ifAbsent: true, signal })
    } catch (error) {
      // It may be there all the same, and whoever looks and finds it will not ask for the mirrors again.
      if (mayHaveHappened(error)) this.#lookLater(key, body.slice())
      throw error
    }
  }

  #lookLater(key: string, body: Uint8Array<ArrayBuffer>): void {
    const { signal } = new AbortController()
    for (const lane of this.#lanes) {
      const run = async (): Promise<void> => {
        if (await isThere(this.#primary, key, body, signal)) await copyCreated(lane.target, key, body, signal)
      }
      lane.add({ operation: 'put', keys: [key], afterAll: true, signal, run }).catch(() => undefined)
    }
  }

  async delete(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const first = (call: AbortSignal): Promise<void> => this.#primary.delete(keys, { signal: call })
    const run = (lane: MirrorLane, call: AbortSignal): Promise<void> => lane.target.delete(keys, { signal: call })
    await this.#everywhere({ operation: 'delete', keys, afterAll: true }, first, run, signal, () => undefined)
  }

  /** Where a write may end before all mirrors have it, they get a copy: the caller may use the body for something else. */
  async #withBody(
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal | undefined,
    write: (own: Uint8Array<ArrayBuffer>, keep: (until: Promise<unknown>) => void) => Promise<void>,
  ): Promise<void> {
    if (this.#needed >= this.#lanes.length) return await write(body, () => undefined)
    const bytes = body.byteLength
    await this.#waiting.take(bytes, signal)
    let until: Promise<unknown> = Promise.resolve()
    try {
      await write(body.slice(), (mirrors) => {
        until = mirrors
      })
    } finally {
      void until.then(() => this.#waiting.give(bytes))
    }
  }

  async #everywhere(
    about: Pick<MirrorWrite, 'operation' | 'keys' | 'afterAll'>,
    first: (signal: AbortSignal) => Promise<unknown>,
    run: (lane: MirrorLane, signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal | undefined,
    keep: (until: Promise<unknown>) => void,
  ): Promise<void> {
    throwIfAborted(signal)
    const linked = linkAbort(signal)
    const primary = (async () => first(linked.signal))()
    const mirrors = this.#lanes.map((lane) =>
      lane.add({ ...about, signal: linked.signal, run: async (call) => run(lane, call) }),
    )
    const ended = Promise.allSettled(mirrors)
    keep(ended)
    try {
      await reached(primary, mirrors, this.#needed)
      // From here on the rest is nobody's call any more, so nobody's abort ends it.
      linked.dispose()
    } catch (error) {
      // What is still under way reads the caller's body, so it ends first.
      linked.abort(error)
      await Promise.allSettled([primary, ended])
      throw error
    }
  }
}

/** Resolves when the first target and so many mirrors have it; rejects with the error that makes this impossible. */
function reached(primary: Promise<unknown>, mirrors: readonly Promise<void>[], needed: number): Promise<unknown> {
  let have = 0
  let failed = 0
  const enough = new Promise<void>((resolve, reject) => {
    if (needed === 0) resolve()
    for (const mirror of mirrors) {
      mirror.then(
        () => ++have >= needed && resolve(),
        (error: unknown) => ++failed > mirrors.length - needed && reject(error),
      )
    }
  })
  return Promise.all([primary, enough])
}

/** Where it can, a late copy gives way to what has come since: the tombstone of a snapshot must not be overwritten. */
async function copyCreated(
  mirror: Target,
  key: string,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<void> {
  const ifAbsent = mirror.traits.createOnly
  if (await mirror.put(key, body, { ifAbsent, signal })) return
  if (await isThere(mirror, key, body, signal)) return
  throw new BackupError('TARGET_PROTOCOL', `the mirror ${mirror.name} has another object at ${key}`, {
    origin: 'target',
    details: { key, target: mirror.name },
    hint: 'Call heal() on the mirrored target; if that refuses, this mirror holds another repository.',
  })
}

async function isThere(target: Target, key: string, body: Uint8Array, signal: AbortSignal): Promise<boolean> {
  try {
    return Buffer.compare(await target.get(key, { signal }), body) === 0
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return false
    throw error
  }
}

const DID_NOTHING: ReadonlySet<string> = new Set([
  'INVALID_OPTIONS',
  'TARGET_AUTH',
  'TARGET_DENIED',
  'TARGET_NOT_FOUND',
])

function mayHaveHappened(error: unknown): boolean {
  return !BackupError.is(error) || !DID_NOTHING.has(error.code)
}
