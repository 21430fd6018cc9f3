/** Tries for real what a repository needs of a target, and leaves nothing behind. */
import { sha256Aside } from '../crypto/hash.ts'
import { BackupError, type ErrorCode } from '../errors.ts'
import { throwIfAborted } from '../util/abort.ts'
import { assertCompatible } from '../util/plugin.ts'
import type { CallSignal, Target, TargetTraits } from './target.ts'

export interface ProbeCheck {
  name: string
  ok: boolean
  /** What was found, or why it failed. */
  note?: string
  /** Of the error that it failed with, and what can be done about that, where the target has said so. */
  code?: ErrorCode
  hint?: string
}
export interface ProbeReport {
  /** True if a repository can be kept there: all checks but, where the target does not promise it, `create once`. */
  ok: boolean
  /** As the target says, but for `createOnly`, which is what was found. */
  traits: TargetTraits
  checks: readonly ProbeCheck[]
  /** A table for people. */
  toText(): string
}

interface Bench {
  readonly target: Target
  readonly prefix: string
  readonly body: Uint8Array<ArrayBuffer>
  readonly call: CallSignal
}
/** Resolves to a note, or to nothing; throws where the check fails. */
type Check = (bench: Bench) => Promise<string | undefined>

const BODY_BYTES = 64 * 1024
const RACERS = 8
const RACES = 3
const ONCE = 'create once'
const RACE = `create once, ${RACERS} at once`

const CHECKS: readonly (readonly [string, Check])[] = [
  ['put', put],
  ['get', get],
  ['range', range],
  ['stat', stat],
  ['replace', replace],
  [ONCE, createOnce],
  [RACE, race],
  ['list', list],
  ['delete', remove],
]

/**
 * Puts, gets, gets ranges, stats, replaces, creates once (also eight at once), lists and deletes a few small objects below
 * a prefix of its own, and removes them. A failed check is in the report, never thrown. Some 60 requests.
 *
 * @throws BackupError ABORTED, PLUGIN_INCOMPATIBLE
 */
export async function probe(target: Target, options: CallSignal = {}): Promise<ProbeReport> {
  assertCompatible(target)
  const { signal } = options
  const random = Math.random().toString(36).slice(2)
  const bench: Bench = {
    target,
    prefix: `probe/${Date.now().toString(36)}${random}/`,
    body: bodyOf(BODY_BYTES, 1),
    call: signal === undefined ? {} : { signal },
  }
  const checks: ProbeCheck[] = []
  try {
    for (const [name, check] of CHECKS) {
      throwIfAborted(signal)
      checks.push(await outcome(name, () => check(bench)))
    }
    throwIfAborted(signal)
  } finally {
    // Also after an abort, so without the signal.
    const cleaned = await outcome('clean up', () => cleanUp(target, bench.prefix))
    if (!cleaned.ok) checks.push(cleaned)
  }
  return reportOf(target, checks)
}

async function outcome(name: string, check: () => Promise<string | undefined>): Promise<ProbeCheck> {
  try {
    const note = await check()
    return { name, ok: true, ...(note !== undefined && { note }) }
  } catch (error) {
    if (BackupError.is(error)) {
      const { code, message, hint } = error
      return { name, ok: false, note: `${code}: ${message}`, code, ...(hint !== undefined && { hint }) }
    }
    return { name, ok: false, note: error instanceof Error ? error.message : String(error) }
  }
}

function reportOf(target: Target, checks: readonly ProbeCheck[]): ProbeReport {
  const createOnly = [ONCE, RACE].every((name) => checks.find((check) => check.name === name)?.ok)
  const { createOnly: promised } = target.traits
  const ok = checks.every((check) => check.ok || (!promised && check.name === RACE))
  const traits: TargetTraits = { ...target.traits, createOnly }
  return { ok, traits, checks, toText: () => textOf(target.name, ok, traits, promised, checks) }
}

function textOf(
  name: string,
  ok: boolean,
  { createOnly, maxConcurrency, checksums = 'none' }: TargetTraits,
  promised: boolean,
  checks: readonly ProbeCheck[],
): string {
  const width = Math.max(...checks.map((check) => check.name.length))
  const rows = checks.map((check) =>
    `  ${check.name.padEnd(width)}  ${check.ok ? 'ok    ' : 'FAILED'}  ${check.note ?? ''}`.trimEnd(),
  )
  const once = createOnly === promised ? '' : ` (the target says ${promised ? 'yes' : 'no'})`
  const traits = `  creates once: ${createOnly ? 'yes' : 'no'}${once}; checksums: ${checksums}; calls at once: ${maxConcurrency}`
  return [`${name}: ${ok ? 'fit' : 'NOT FIT'} for a repository`, ...rows, traits, ''].join('\n')
}

async function put({ target, prefix, body, call }: Bench): Promise<string> {
  const start = performance.now()
  if (!(await target.put(`${prefix}a`, body, call))) throw new Error('a put that is none of ifAbsent resolved false')
  return `${BODY_BYTES} bytes in ${Math.ceil(performance.now() - start)} ms`
}

async function get({ target, prefix, body, call }: Bench): Promise<undefined> {
  requireSame(await target.get(`${prefix}a`, call), body)
  await requireMissing(target, `${prefix}missing`, call)
}

async function range({ target, prefix, body, call }: Bench): Promise<undefined> {
  for (const [start, end] of [
    [1, 4097],
    [body.byteLength - 1, body.byteLength],
    [0, body.byteLength],
  ] as const) {
    requireSame(await target.get(`${prefix}a`, { ...call, range: { start, end } }), body.subarray(start, end))
  }
  const past = { start: body.byteLength - 1, end: body.byteLength + 1 }
  try {
    await target.get(`${prefix}a`, { ...call, range: past })
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_PROTOCOL') return
    throw error
  }
  throw new Error('a range past the end was not refused')
}

async function stat({ target, prefix, body, call }: Bench): Promise<string> {
  const info = await target.stat(`${prefix}a`, call)
  if (info?.size !== body.byteLength) throw new Error(`${info?.size} bytes instead of ${body.byteLength}`)
  if ((await target.stat(`${prefix}missing`, call)) !== undefined) throw new Error('a missing object was found')
  if (target.traits.checksums !== 'sha256') return 'no SHA-256 is kept'
  const digest = Buffer.from(await sha256Aside(body)).toString('hex')
  if (info.checksum !== digest) throw new Error(`checksum ${info.checksum} instead of ${digest}`)
  return 'with SHA-256'
}

async function replace({ target, prefix, call }: Bench): Promise<undefined> {
  const other = bodyOf(1000, 2)
  await target.put(`${prefix}b`, bodyOf(2000, 3), call)
  await target.put(`${prefix}b`, other, call)
  requireSame(await target.get(`${prefix}b`, call), other)
}

async function createOnce({ target, prefix, body, call }: Bench): Promise<undefined> {
  const create = { ...call, ifAbsent: true }
  if (await target.put(`${prefix}a`, bodyOf(10, 4), create)) throw new Error('an object that exists was created again')
  requireSame(await target.get(`${prefix}a`, call), body)
  if (!(await target.put(`${prefix}c`, body, create))) throw new Error('a new object was not created')
}

/** Each racer has a body of its own, so that it shows whose is there. */
async function race({ target, prefix, call }: Bench): Promise<string> {
  for (let round = 0; round < RACES; round++) {
    const key = `${prefix}race-${round}`
    const bodies = Array.from({ length: RACERS }, (_, racer) => bodyOf(1000, 10 + racer))
    const won = await Promise.all(bodies.map((body) => target.put(key, body, { ...call, ifAbsent: true })))
    const winners = bodies.filter((_, racer) => won[racer])
    if (winners.length !== 1) throw new Error(`${winners.length} of ${RACERS} were told that they created it`)
    requireSame(await target.get(key, call), winners[0]!)
  }
  return `one of ${RACERS} created it, ${RACES} times`
}

async function list({ target, prefix, call }: Bench): Promise<undefined> {
  const body = bodyOf(7, 5)
  const keys = ['l/a', 'l/ab', 'l/ad/c', 'm'].map((name) => prefix + name)
  for (const key of keys) await target.put(key, body, call)
  const found: string[] = []
  for await (const info of target.list(`${prefix}l/a`, call)) {
    if (info.size !== body.byteLength) throw new Error(`${info.key} is listed with ${info.size} bytes`)
    found.push(info.key)
  }
  const expected = keys.slice(0, 3).sort()
  if (found.sort().join() !== expected.join()) throw new Error(`listed ${found.join(', ')} for ${expected.join(', ')}`)
}

async function remove({ target, prefix, call }: Bench): Promise<undefined> {
  await target.delete([`${prefix}a`, `${prefix}l/a`, `${prefix}missing`], call)
  await requireMissing(target, `${prefix}a`, call)
  if ((await target.stat(`${prefix}l/a`, call)) !== undefined) throw new Error('a deleted object is still there')
  if ((await target.stat(`${prefix}l/ab`, call)) === undefined) throw new Error('more than the given keys was deleted')
}

async function cleanUp(target: Target, prefix: string): Promise<undefined> {
  await target.delete(await keysOf(target, prefix))
  const left = await keysOf(target, prefix)
  if (left.length > 0) throw new Error(`${left.length} objects below ${prefix} could not be removed`)
}

async function keysOf(target: Target, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys
}

async function requireMissing(target: Target, key: string, call: CallSignal): Promise<void> {
  try {
    await target.get(key, call)
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return
    throw error
  }
  throw new Error(`the missing object ${key} was found`)
}

function requireSame(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) !== 0) throw new Error('other bytes came back than were put')
}

/** Bytes that differ at every place and between seeds. */
function bodyOf(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let i = 0, state = seed; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}
