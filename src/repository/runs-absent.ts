/** Packs that a writer must not rely on: candidates of an open prune, and packs that are dead for good. */
import { BackupError } from '../errors.ts'
import { type GcCandidates, gcCandidatesRecord, gcDoneRecord } from '../model/gc.ts'
import { corrupt } from '../model/json-record.ts'
import type { CallSignal } from '../targets/target.ts'
import { gcDoneKey, gcKey, PREFIX, parseKey } from './keys-layout.ts'
import type { Records } from './records.ts'

/** A prune that ends between the listing and the reading takes `gc/<n>` away; then the listing is made again. */
const MAX_ATTEMPTS = 5

/** Names in hex. */
export interface AbsentPacks {
  /** Dead for good. Readers and writers pass them by. */
  readonly dead: ReadonlySet<string>
  /** Candidates of a prune that is under way: writers pass them by too, readers may use them. */
  readonly condemned: ReadonlySet<string>
}

/** The dead of the newest outcome, as they were read before: the list is long, and mostly the same. */
export interface DeadPacks {
  /** Number of that outcome; 0: there is none. */
  readonly n: number
  readonly dead: ReadonlySet<string>
}

export async function readAbsentPacks(records: Records, options: CallSignal = {}): Promise<AbsentPacks> {
  return again(async () => {
    const { open, newestDone } = await listGc(records, options)
    const dead = new Set(newestDone > 0 ? await readDead(records, newestDone, options) : [])
    const condemned = new Set<string>()
    for (const n of open) for (const name of (await readCandidates(records, n, options)).packs) condemned.add(name)
    return { dead, condemned }
  })
}

/** What readers have to pass by. `known` is given back where nothing has changed. */
export async function readDeadPacks(
  records: Records,
  options: CallSignal = {},
  known: DeadPacks = { n: 0, dead: new Set() },
): Promise<DeadPacks> {
  return again(async () => {
    const { newestDone: n } = await listGc(records, options)
    return n <= known.n ? known : { n, dead: new Set(await readDead(records, n, options)) }
  })
}

/** A prune that ends between the listing and the reading takes `gc/<n>` away; then all is looked at again. */
export async function again<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (!isMissing(error) || attempt >= MAX_ATTEMPTS) throw error
    }
  }
}

/** Prunes without an outcome, and the newest outcome, which has the list of all before it (0: none). */
export async function listGc(records: Records, options: CallSignal): Promise<{ open: number[]; newestDone: number }> {
  const begun = new Set<number>()
  const done = new Set<number>()
  for await (const { key } of records.target.list(PREFIX.gc, options)) {
    const parsed = parseKey(key)
    if (parsed?.area === 'gc') (parsed.done ? done : begun).add(parsed.n)
  }
  return { open: [...begun].filter((n) => !done.has(n)), newestDone: Math.max(0, ...done) }
}

export async function readDead(records: Records, n: number, { signal }: CallSignal): Promise<readonly string[]> {
  const key = gcDoneKey(n)
  const done = gcDoneRecord.decode(await records.get('control', key, { signal }), key)
  if (done.n !== n) throw corrupt(key, `it is number ${done.n}`)
  if (done.outcome !== 'stub') return done.dead
  throw new BackupError('OBJECT_MISSING', `the list of dead packs of ${key} has moved on, and no later one is there`, {
    origin: 'repository',
    details: { key },
    hint: 'Restore the objects below gc/ from a copy of the repository.',
  })
}

export async function readCandidates(records: Records, n: number, { signal }: CallSignal): Promise<GcCandidates> {
  const key = gcKey(n)
  const candidates = gcCandidatesRecord.decode(await records.get('control', key, { signal }), key)
  if (candidates.n !== n) throw corrupt(key, `it is number ${candidates.n}`)
  return candidates
}

function isMissing(error: unknown): boolean {
  return BackupError.is(error) && error.code === 'OBJECT_MISSING'
}
