/** Packs that a writer must not rely on: candidates of an open prune, and packs that are dead for good. */
import { BackupError } from '../errors.ts'
import { gcCandidatesRecord, gcDoneRecord } from '../model/gc.ts'
import { corrupt } from '../model/json-record.ts'
import type { CallSignal } from '../targets/target.ts'
import { gcDoneKey, gcKey, PREFIX, parseKey } from './keys-layout.ts'
import type { Records } from './records.ts'

/** A prune that ends between the listing and the reading takes `gc/<n>` away; then the listing is made again. */
const MAX_ATTEMPTS = 5

/** Names in hex. */
export async function readAbsentPacks(records: Records, options: CallSignal = {}): Promise<Set<string>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await absentPacks(records, options)
    } catch (error) {
      if (!isMissing(error) || attempt >= MAX_ATTEMPTS) throw error
    }
  }
}

/** Packs that are dead for good, names in hex: readers may still use the candidates of a prune that is under way. */
export async function readDeadPacks(records: Records, options: CallSignal = {}): Promise<Set<string>> {
  const { newestDone } = await listGc(records, options)
  return new Set(newestDone > 0 ? await readDead(records, newestDone, options) : [])
}

async function absentPacks(records: Records, options: CallSignal): Promise<Set<string>> {
  const { open, newestDone } = await listGc(records, options)
  const absent = new Set<string>()
  if (newestDone > 0) for (const name of await readDead(records, newestDone, options)) absent.add(name)
  for (const n of open) for (const name of await readCandidates(records, n, options)) absent.add(name)
  return absent
}

/** Prunes without an outcome, and the newest outcome, which has the list of all before it (0: none). */
async function listGc(records: Records, options: CallSignal): Promise<{ open: number[]; newestDone: number }> {
  const begun = new Set<number>()
  const done = new Set<number>()
  for await (const { key } of records.target.list(PREFIX.gc, options)) {
    const parsed = parseKey(key)
    if (parsed?.area === 'gc') (parsed.done ? done : begun).add(parsed.n)
  }
  return { open: [...begun].filter((n) => !done.has(n)), newestDone: Math.max(0, ...done) }
}

async function readDead(records: Records, n: number, { signal }: CallSignal): Promise<readonly string[]> {
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

async function readCandidates(records: Records, n: number, { signal }: CallSignal): Promise<readonly string[]> {
  const key = gcKey(n)
  const candidates = gcCandidatesRecord.decode(await records.get('control', key, { signal }), key)
  if (candidates.n !== n) throw corrupt(key, `it is number ${candidates.n}`)
  return candidates.packs
}

function isMissing(error: unknown): boolean {
  return BackupError.is(error) && error.code === 'OBJECT_MISSING'
}
