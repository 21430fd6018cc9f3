/** The index as it is stored now, and how the packs that lie in the target compare with it. */

import { IndexSet } from '../../repository/index-set.ts'
import { PREFIX, packKey, parseKey } from '../../repository/keys-layout.ts'
import type { Records } from '../../repository/records.ts'
import { readAbsentPacks, readDeadPacks } from '../../repository/runs-absent.ts'
import type { ObjectInfo, Target } from '../../targets/target.ts'
import type { ChunkTable } from '../../workers/chunks/chunk-index.ts'
import type { BadPlaces } from '../../workers/chunks/sound-index.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { PackPlace } from '../../workers/verify/pack.ts'
import type { Reading } from '../reading/reading.ts'
import { noting } from './check-records.ts'
import type { CheckWork } from './check-work.ts'
import type { Trouble } from './findings.ts'

/** A pack that the index names and no prune has ended. */
export interface KnownPack {
  readonly name: string
  readonly bytes: number
  readonly places: PackPlace[]
  /** Set where the target has no such object. */
  missing: boolean
  /** Set where what the target says of it is wrong. */
  trouble?: Trouble
  /** Set once the target's checksum of it has been looked at. */
  compared?: boolean
}

export class Inventory {
  readonly tables: readonly ChunkTable[]
  readonly packs = new Map<string, KnownPack>()

  constructor(tables: readonly ChunkTable[]) {
    this.tables = tables
    for (const [table, { packCount }] of tables.entries()) {
      for (let pack = 0; pack < packCount; pack++) this.know(tables[table]!, table, pack)
    }
  }

  private know(of: ChunkTable, table: number, pack: number): void {
    if (of.packIsAbsent(pack)) return
    const name = of.packName(pack)
    const known = this.packs.get(name) ?? { name, bytes: of.packSize(pack), places: [], missing: true }
    known.places.push({ table, pack })
    this.packs.set(name, known)
  }

  /** For the workers: these packs cannot be used at all, and these chunks are damaged where they lie. */
  badPlaces(packs: Iterable<KnownPack>, lost: ReadonlyMap<KnownPack, readonly (readonly number[])[]>): BadPlaces[] {
    const places = this.tables.map(() => ({ packs: [] as number[], entries: [] as number[] }))
    for (const known of packs) for (const { table, pack } of known.places) places[table]!.packs.push(pack)
    for (const [known, lists] of lost) {
      for (const [at, { table }] of known.places.entries())
        for (const entry of lists[at]!) places[table]!.entries.push(entry)
    }
    return places
  }

  /** Packs that look-ups came to, from the flags of one worker. */
  *flagged(flags: readonly Uint8Array[]): Generator<KnownPack> {
    for (const known of this.packs.values()) {
      if (known.places.some(({ table, pack }) => flags[table]?.[pack] === 1)) yield known
    }
  }
}

/** Reads all fragments anew, then lists the packs: each of them was there before the fragment that names it. */
export async function takeInventory(work: CheckWork, reading: Reading): Promise<Inventory> {
  const inventory = new Inventory(await readIndex(work, reading))
  const { engine, options, findings, signal } = work
  const strangers = await compare(inventory, engine.repository.repository.target, signal)
  for (const { name, missing, trouble } of inventory.packs.values()) {
    const wrong = missing ? { code: 'OBJECT_MISSING', message: `Pack ${name} is not there.` } : trouble
    if (!wrong) continue
    if (options.snapshots === 'all') findings.add(packKey(name), wrong)
    else findings.suspect(packKey(name), wrong)
  }
  if (strangers.count > 0 && options.snapshots === 'all') findings.add(undefined, unused(strangers))
  return inventory
}

/** Fragments as they are now; what cannot be read of them is a finding. */
export async function readIndex(
  work: CheckWork,
  reading: Reading,
  gc: Records = work.engine.repository.repository.records,
): Promise<ChunkTable[]> {
  const { engine, options, findings, signal } = work
  const { repository } = engine.repository
  const index = new IndexSet(repository.target)
  await noting(work, async () => index.markAbsent((await readDeadPacks(gc, { signal })).dead))
  // Packs that a prune has only named are still there; but a damaged list of them stops every backup.
  await noting(work, () => readAbsentPacks(gc, { signal }))
  let session: Session | undefined
  await index.refresh(async () => {
    session ??= reading.track(await reading.lease.threads[0]!.open('index', { vault: engine.repository.vault() }, {}))
    return session
  }, signal)
  for (const damaged of index.damaged) {
    findings.addDamaged(damaged.key, damaged, options.snapshots === 'all' ? 'error' : 'warning')
  }
  return index.index.tables
}

interface Strangers {
  count: number
  bytes: number
  names: string[]
}

const MAX_NAMES = 5

async function compare({ packs }: Inventory, target: Target, signal: AbortSignal): Promise<Strangers> {
  const strangers: Strangers = { count: 0, bytes: 0, names: [] }
  for await (const info of target.list(PREFIX.packs, { signal })) {
    const key = parseKey(info.key)
    if (key?.area !== 'packs') continue
    const known = packs.get(key.name)
    if (known) look(known, info, target)
    else count(strangers, key.name, info.size)
  }
  return strangers
}

/** Compares what the target says with what is known. */
export function look(known: KnownPack, { size, checksum }: ObjectInfo, { traits }: Target): void {
  const { name, bytes } = known
  known.missing = false
  known.compared = checksum !== undefined
  if (size !== bytes) {
    known.trouble = { code: 'OBJECT_CORRUPT', message: `Pack ${name} has ${size} bytes where ${bytes} were stored.` }
  } else if (traits.checksums === 'sha256' && checksum !== undefined && checksum !== name) {
    const message = `Pack ${name} is not what was stored: the SHA-256 that the target keeps of it is not its name.`
    known.trouble = { code: 'OBJECT_CORRUPT', message }
  }
}

function count(strangers: Strangers, name: string, bytes: number): void {
  strangers.count++
  strangers.bytes += bytes
  if (strangers.names.length < MAX_NAMES) strangers.names.push(name)
}

function unused({ count, bytes, names }: Strangers): Trouble {
  return {
    code: 'PACKS_UNUSED',
    severity: 'info',
    message: `${count} packs (${bytes} bytes) are in no index fragment: left by a run that ended early, or of one under way.`,
    details: { count, bytes, packs: names },
  }
}
