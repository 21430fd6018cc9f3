/** What there is, whatever state it is in: the index made whole from the packs' own directories, and all packs proved. */
import { BackupError } from '../../errors.ts'
import type { PackFacts } from '../../model/fragment.ts'
import { PREFIX, packKey, parseKey } from '../../repository/keys-layout.ts'
import { readPack } from '../../repository/pack-bytes.ts'
import { buildTables } from '../../repository/pack-portions.ts'
import type { Records } from '../../repository/records.ts'
import { type DeadPacks, readDeadPacks } from '../../repository/runs-absent.ts'
import type { ObjectInfo } from '../../targets/target.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { ChunkTable } from '../../workers/chunks/chunk-index.ts'
import type { DirectoryAnswer, DirectoryJob } from '../../workers/repair/directory.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import type { CheckWork } from '../verify/check-work.ts'
import { Inventory, type KnownPack, look, readIndex } from '../verify/inventory.ts'

export interface Stock {
  readonly inventory: Inventory
  /** Of packs that no fragment names, and no prune has ended. */
  readonly restated: readonly PackFacts[]
  /** The same, where their own directories cannot be read: nobody knows what is in them. */
  readonly unknown: readonly string[]
  /** Before any of this was read. */
  readonly dead: DeadPacks
}

/** Most directories are shorter. */
const TAIL_BYTES = 64 * 1024

/** Fragments first, then packs: each of them was there before the fragment that names it. `gc`: what packs are dead is read from. */
export async function takeStock(work: CheckWork, reading: Reading, gc: Records): Promise<Stock> {
  const { signal, findings, engine } = work
  const { repository } = engine.repository
  const before = await readDeadPacks(gc, { signal })
  const tables = await readIndex(work, reading, gc)
  const { dead } = await readDeadPacks(gc, { signal }, before)
  const named = new Inventory(tables).packs
  const listed = await listPacks(work)
  const strangers = [...listed.values()].filter(({ name }) => !named.has(name) && !dead.has(name))
  const { facts, unknown } = await readDirectories(work, reading, strangers)
  const more = facts.length > 0 ? await tablesOf(work, reading, facts) : []
  const inventory = new Inventory([...tables, ...more])
  for (const known of inventory.packs.values()) {
    const info = listed.get(known.name)
    if (info) look(known, info, repository.target)
    const wrong = info ? known.trouble : { code: 'OBJECT_MISSING', message: `Pack ${known.name} is not there.` }
    if (wrong) findings.add(packKey(known.name), wrong)
  }
  for (const name of unknown) {
    const message = `Pack ${name} is in no index fragment, and its own directory cannot be read: nobody knows what it holds.`
    findings.add(packKey(name), { code: 'OBJECT_CORRUPT', severity: 'warning', message })
  }
  return { inventory, restated: facts, unknown, dead: before }
}

type Listed = ObjectInfo & { name: string }

async function listPacks({ engine, signal }: CheckWork): Promise<Map<string, Listed>> {
  const packs = new Map<string, Listed>()
  for await (const info of engine.repository.repository.target.list(PREFIX.packs, { signal })) {
    const parsed = parseKey(info.key)
    if (parsed?.area === 'packs') packs.set(parsed.name, { ...info, name: parsed.name })
  }
  return packs
}

async function readDirectories(
  work: CheckWork,
  reading: Reading,
  packs: readonly Listed[],
): Promise<{ facts: PackFacts[]; unknown: string[] }> {
  const facts: PackFacts[] = []
  const unknown: string[] = []
  if (packs.length === 0) return { facts, unknown }
  const { target } = work.engine.repository.repository
  const session = await openRepair(work, reading, [])
  const read = async (pack: Listed): Promise<{ name: string; found: PackFacts | null | undefined }> => {
    work.progress.touch()
    return { name: pack.name, found: await directoryOf(work, session, pack) }
  }
  for await (const { name, found } of mapBounded(packs, target.traits.maxConcurrency, read, work.signal)) {
    if (found) facts.push(found)
    else if (found === null) unknown.push(name)
  }
  await reading.end(session)
  return { facts, unknown }
}

/** Null: it cannot be read. Undefined: the pack is gone by now. */
async function directoryOf(work: CheckWork, session: Session, pack: Listed): Promise<PackFacts | null | undefined> {
  let tailBytes = Math.min(pack.size, TAIL_BYTES)
  for (let attempt = 0; attempt < 3; attempt++) {
    const tail = await tailOf(work, pack, tailBytes)
    if (tail === undefined || tail === null) return tail
    const job: DirectoryJob = { name: new Uint8Array(Buffer.from(pack.name, 'hex')), packBytes: pack.size, tail }
    const answer = await session.call<DirectoryAnswer>('directory', job)
    if (answer === null || !('before' in answer)) return answer
    tailBytes += answer.before
  }
  return null
}

async function tailOf(
  { engine, signal }: CheckWork,
  { name, size }: Listed,
  bytes: number,
): Promise<Uint8Array | null | undefined> {
  if (size === 0) return null
  try {
    return await readPack(engine.target, name, { range: { start: size - bytes, end: size }, signal })
  } catch (error) {
    if (!BackupError.is(error) || error.origin !== 'repository') throw error
    return error.code === 'OBJECT_MISSING' ? undefined : null
  }
}

async function tablesOf(work: CheckWork, reading: Reading, packs: readonly PackFacts[]): Promise<ChunkTable[]> {
  const init = { vault: work.engine.repository.vault() }
  const session = reading.track(await reading.lease.threads[0]!.open('index', init, {}))
  const tables = await buildTables(session, packs)
  await reading.end(session)
  return tables.map((plain) => new ChunkTable(plain))
}

/** A session that stores nothing. */
export async function openRepair(
  { engine, signal, progress }: CheckWork,
  reading: Reading,
  tables: readonly ChunkTable[],
): Promise<Session> {
  const init = { vault: engine.repository.vault(), tables: tables.map(({ plain }) => plain) }
  const handlers = {
    range: async ({ pack, start, end }: { pack: string; start: number; end: number }) =>
      readPack(engine.target, pack, { range: { start, end }, signal }),
    progress: () => progress.touch(),
  }
  return reading.track(await reading.lease.threads[0]!.open('repair', init, handlers))
}

/** Those of the packs that are known at all. */
export function knownOf(inventory: Inventory, names: readonly string[]): KnownPack[] {
  return names.flatMap((name) => inventory.packs.get(name) ?? [])
}
