/**
 * Runs actors against one memory target, one operation at a time, in an order that the caller gives. Each operation of a
 * target, and each pause, waits for its turn; nothing else of the code takes part in the order.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BackupError } from '../../src/errors.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import type { ObjectInfo, Target } from '../../src/targets/target.ts'
import { abortError, onAbort } from '../../src/util/abort.ts'
import type { Clock } from '../../src/util/clock.ts'

/** What becomes of an operation: done; done and its reply lost; done later, though it was said to have failed. */
export type Fate = 'done' | 'lost' | 'late' | 'crash'

export interface Choice {
  actor: number
  fate: Fate
}

interface Pending {
  readonly what: string
  readonly mutates: boolean
  readonly pauses: boolean
  run(): unknown
  settle(result: { value: unknown } | { error: unknown }): void
}

export interface Actor {
  readonly name: string
  pending: Pending | undefined
  state: 'running' | 'ended' | 'crashed'
  failure: unknown
  /** Of all that it did and saw: equal traces mean equal insides. */
  trace: number
  steps: number
  /** A call that was said to have failed, and arrives when it pleases. */
  isGhost: boolean
}

export type Body = (target: Target, clock: Clock) => Promise<void>

const SETTLE_TURNS = 400
const NOON = Date.parse('2026-06-01T12:00:00Z')

export class Scheduler {
  readonly objects: Map<string, Uint8Array>
  readonly actors: Actor[] = []
  /** Readable names of keys that are random. */
  private readonly labels = new Map<string, string>()
  private readonly versions = new Map<string, string>()
  private readonly finely: boolean
  private stateHash = 0

  /** `finely`: a listing is a step for each key, and a deletion of several too. */
  constructor(base: ReadonlyMap<string, Uint8Array>, finely = false) {
    this.objects = new Map(base)
    this.finely = finely
    for (const key of [...base.keys()]) this.setVersion(key, `base ${this.label(key, `base${this.labels.size}`)}`)
  }

  /** Begins a body; it runs up to its first operation. */
  async start(name: string, body: Body): Promise<void> {
    const actor: Actor = {
      name,
      pending: undefined,
      state: 'running',
      failure: undefined,
      trace: hashText(name),
      steps: 0,
      isGhost: false,
    }
    this.actors.push(actor)
    body(this.targetOf(actor), this.clockOf(actor)).then(
      () => this.end(actor, undefined),
      (error: unknown) => this.end(actor, error),
    )
    await this.settle(actor)
  }

  private end(actor: Actor, failure: unknown): void {
    if (actor.state !== 'running') return
    actor.state = 'ended'
    actor.failure = failure
    if (failure !== undefined && !BackupError.is(failure)) throw failure
    actor.trace = mix(actor.trace, hashText(failure === undefined ? 'ok' : (failure as BackupError).code))
  }

  get enabled(): number[] {
    return this.actors.flatMap(({ pending }, i) => (pending ? [i] : []))
  }

  /** Of everything that may matter for what comes. */
  get hash(): string {
    let hash = this.stateHash
    for (const { trace } of this.actors) hash = mix(hash, trace)
    return `${hash}/${this.actors.length}`
  }

  async take({ actor: number, fate }: Choice): Promise<void> {
    const actor = this.actors[number]!
    const { pending } = actor
    if (!pending) throw new Error(`${actor.name} has nothing to do`)
    actor.pending = undefined
    actor.steps++
    if (fate === 'crash') {
      actor.state = 'crashed'
      actor.trace = mix(actor.trace, 1)
      return
    }
    if (fate === 'late') this.haunt(actor, pending)
    const result = fate === 'late' ? { error: unreachable(pending.what) } : this.perform(actor, pending, fate)
    if (actor.isGhost) actor.state = 'ended'
    pending.settle(result)
    actor.trace = mix(actor.trace, hashText(`${fate} ${this.describe(result)}`))
    if (!actor.isGhost) await this.settle(actor)
  }

  private perform(actor: Actor, pending: Pending, fate: Fate): { value: unknown } | { error: unknown } {
    actor.trace = mix(actor.trace, hashText(this.relabel(pending.what)))
    try {
      const value = pending.run()
      if (pending.what.startsWith('get '))
        actor.trace = mix(actor.trace, hashText(this.versions.get(pending.what.slice(4))!))
      return fate === 'lost' ? { error: unreachable(pending.what) } : { value }
    } catch (error) {
      return { error }
    }
  }

  private haunt(actor: Actor, { what, mutates, pauses, run }: Pending): void {
    const pending: Pending = { what: `late ${what}`, mutates, pauses, run, settle: () => undefined }
    this.actors.push({ ...actor, name: `${actor.name}'s ghost`, pending, isGhost: true, steps: 0, trace: 7 })
  }

  /** Until the actor waits for its turn again, or is over. */
  private async settle(actor: Actor): Promise<void> {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) {
      if (actor.pending || actor.state !== 'running') return
      await nextTurn()
    }
    throw new Error(`${actor.name} neither asks for anything nor ends`)
  }

  private turn<T>(actor: Actor, what: string, kind: 'reads' | 'mutates' | 'pauses', run: () => T): Promise<T> {
    if (actor.pending) throw new Error(`${actor.name} does two things at once: ${actor.pending.what}, ${what}`)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const settle: Pending['settle'] = (result) =>
      'error' in result ? reject(result.error) : resolve(result.value as T)
    actor.pending = { what, mutates: kind === 'mutates', pauses: kind === 'pauses', run, settle }
    return promise
  }

  private targetOf(actor: Actor): Target {
    const memory = memoryTarget()
    const { objects } = this
    return {
      apiVersion: 1,
      name: actor.name,
      traits: { ...memory.traits, maxConcurrency: 1 },
      put: (key, body, { ifAbsent } = {}) => {
        const origin = `${actor.name}.${actor.steps}`
        this.label(key, origin)
        return this.turn(actor, `${ifAbsent ? 'create' : 'put'} ${key}`, 'mutates', () => {
          if (ifAbsent && objects.has(key)) return false
          objects.set(key, new Uint8Array(body))
          this.setVersion(key, origin)
          return true
        })
      },
      get: (key, { range } = {}) =>
        this.turn(actor, `get ${key}`, 'reads', () => {
          const bytes = objects.get(key)
          if (bytes === undefined) throw notFound(key)
          return new Uint8Array(bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length))
        }),
      stat: (key) => this.turn(actor, `stat ${key}`, 'reads', () => this.info(key)),
      delete: async (keys) => {
        for (const some of this.finely ? keys.map((key) => [key]) : [keys]) await this.deleted(actor, some)
      },
      list: (prefix) => this.listed(actor, prefix),
      close: async () => {},
    }
  }

  private deleted(actor: Actor, keys: readonly string[]): Promise<void> {
    return this.turn(actor, `delete ${keys.join(' ')}`, 'mutates', () => {
      for (const key of keys) {
        this.objects.delete(key)
        this.setVersion(key, undefined)
      }
    })
  }

  /** What comes or goes while it is listed may be in it or not, as in life. */
  private async *listed(actor: Actor, prefix: string): AsyncGenerator<ObjectInfo> {
    if (!this.finely) return yield* await this.turn(actor, `list ${prefix}`, 'reads', () => this.below(prefix, ''))
    for (let last = ''; ; ) {
      const after = last
      const page = await this.turn(actor, `list ${prefix} after ${after}`, 'reads', () => this.below(prefix, after, 2))
      if (page.length > 0) yield page[0]!
      if (page.length < 2) return
      last = this.labelOf(page[0]!.key)
    }
  }

  private clockOf(actor: Actor): Clock {
    let nowMs = 0
    const pause = (ms: number): Promise<undefined> => this.turn(actor, `sleep ${ms}`, 'pauses', () => undefined)
    return {
      now: () => new Date(NOON + nowMs),
      monotonicMs: () => nowMs,
      async sleep(ms, { signal, unref } = {}) {
        // A heartbeat: nothing that anybody would see depends on it, but that it stops.
        if (unref) await new Promise((_, reject) => onAbort(signal, (reason) => reject(abortError(reason))))
        await pause(ms)
        nowMs += ms
      },
    }
  }

  private info(key: string): ObjectInfo | undefined {
    const bytes = this.objects.get(key)
    return bytes && { key, size: bytes.length, modifiedAt: new Date(hashText(this.versions.get(key)!) % 1e9) }
  }

  /** In an order that does not depend on random names. */
  private below(prefix: string, after: string, most = Number.POSITIVE_INFINITY): ObjectInfo[] {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && this.labelOf(key) > after)
    keys.sort((a, b) => (this.labelOf(a) < this.labelOf(b) ? -1 : 1))
    return keys.slice(0, most).map((key) => this.info(key)!)
  }

  private label(key: string, label: string): string {
    if (!this.labels.has(key)) this.labels.set(key, RANDOM_KEY.test(key) ? `${key.split('/')[0]}/${label}` : key)
    return this.labels.get(key)!
  }

  private labelOf(key: string): string {
    return this.labels.get(key) ?? key
  }

  private relabel(what: string): string {
    return what.replace(/(packs|index)\/[0-9a-f/]+/g, (key) => this.labelOf(key))
  }

  /** For people. */
  describePending(actor: Actor): string {
    return `${actor.name}: ${actor.pending ? this.relabel(actor.pending.what) : actor.state}`
  }

  private setVersion(key: string, version: string | undefined): void {
    const before = this.versions.get(key)
    if (before !== undefined) this.stateHash = xor(this.stateHash, hashText(`${this.labelOf(key)} ${before}`))
    if (version === undefined) this.versions.delete(key)
    else {
      this.versions.set(key, version)
      this.stateHash = xor(this.stateHash, hashText(`${this.labelOf(key)} ${version}`))
    }
  }

  private describe(result: { value: unknown } | { error: unknown }): string {
    if ('error' in result) return BackupError.is(result.error) ? result.error.code : 'error'
    const { value } = result
    if (Array.isArray(value)) return value.map(({ key }) => `${this.labelOf(key)}@${this.versions.get(key)}`).join()
    return value instanceof Uint8Array ? `${value.length}` : (JSON.stringify(value) ?? '')
  }
}

const RANDOM_KEY = /^(packs|index)\//

function notFound(key: string): BackupError {
  return new BackupError('TARGET_OBJECT_NOT_FOUND', `no ${key}`, { origin: 'target' })
}

function unreachable(what: string): BackupError {
  return new BackupError('TARGET_UNREACHABLE', `no reply to ${what}`, { origin: 'target', retryable: true })
}

/** 53 bits, so that a number holds it. */
export function hashText(text: string): number {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}

function mix(a: number, b: number): number {
  return hashText(`${a},${b}`)
}

function xor(a: number, b: number): number {
  const high = Math.floor(a / 4294967296) ^ Math.floor(b / 4294967296)
  return (high >>> 0) * 4294967296 + (((a % 4294967296) ^ (b % 4294967296)) >>> 0)
}
