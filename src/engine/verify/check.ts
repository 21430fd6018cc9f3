/** One check from end to end, in the order that keeps what others do meanwhile from looking like damage. */
import type { Finding } from '../../events.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { Reading } from '../reading/reading.ts'
import { checkKeys, checkReports, checkTrash, chooseSnapshots } from './check-records.ts'
import { CheckSessions } from './check-sessions.ts'
import { type CheckWork, withThreads } from './check-work.ts'
import { type Inventory, type KnownPack, takeInventory } from './inventory.ts'
import { compareChecksums } from './pack-checksums.ts'
import { Proofs } from './proofs.ts'
import { type PacksRead, readPacks } from './read-packs.ts'
import { neededPacks, walkTrees } from './walk-trees.ts'

export interface CheckResult {
  sound: boolean
  findings: Finding[]
  snapshots: { id: string; sound: boolean }[]
  packsRead: number
  bytesRead: number
  coverage: number
  /** True: every pack in question was read, so the level is proved in full. */
  whole: boolean
  /** What could be read of the chosen snapshots. */
  infos: readonly SnapshotInfo[]
  proofs: Proofs
  /** What this check has to say about packs, by name. */
  checked: ReadonlyMap<string, Date | undefined>
  existing: ReadonlySet<string>
}

/** A proof older than this counts no more. */
export const PROOF_LIFE_MS = 30 * 24 * 60 * 60 * 1000

/** Snapshots first, then the index, then the packs: what a snapshot names is in an index that is read after it. */
export async function check(work: CheckWork): Promise<CheckResult> {
  const { engine, options, progress, signal, findings } = work
  progress.phase('list')
  await checkKeys(work)
  const { infos, unreadable } = await chooseSnapshots(work)
  if (options.snapshots === 'all') await checkTrash(work)
  if (options.level === 'data' && options.snapshots === 'all') await checkReports(work)
  const proofs = new Proofs(engine.repository.repository.records)
  await proofs.load(signal)
  for (const { key, error } of proofs.damaged) findings.addDamaged(key, error, 'warning')
  return withThreads(work, async (reading) => {
    const inventory = await takeInventory(work, reading)
    const sessions = await CheckSessions.open(work, reading, inventory)
    const result = await checkContent({ work, reading, inventory, sessions, infos, proofs })
    return {
      ...result,
      sound: findings.sound,
      findings: findings.list(),
      snapshots: [...infos.map(({ id }) => id), ...unreadable].map((id) => ({
        id,
        sound: !result.unsound.has(id) && !unreadable.includes(id),
      })),
      infos,
      proofs,
      existing: new Set(inventory.packs.keys()),
    }
  })
}

interface ContentWork {
  work: CheckWork
  reading: Reading
  inventory: Inventory
  sessions: CheckSessions
  infos: readonly SnapshotInfo[]
  proofs: Proofs
}

interface ContentResult extends Pick<CheckResult, 'packsRead' | 'bytesRead' | 'coverage' | 'whole' | 'checked'> {
  unsound: Set<string>
}

async function checkContent(content: ContentWork): Promise<ContentResult> {
  const { work, inventory, sessions, infos } = content
  const { level, snapshots } = work.options
  work.progress.phase('walk')
  const entries = infos.reduce(
    (sum, { record }) => sum + record.sources.reduce((each, { entries }) => each + entries, 0),
    0,
  )
  if (level === 'structure') work.progress.total({ items: entries })
  // A pack of another size is as good as lost to whoever does not read it; reading shows what is left of it.
  const unusable = [...inventory.packs.values()].filter(
    ({ missing, trouble }) => missing || (trouble && level !== 'data'),
  )
  let unsound = await walkTrees(work, sessions, infos, inventory.badPlaces(unusable, new Map()))
  const chosen = snapshots === 'all' ? [...inventory.packs.values()] : [...(await neededPacks(sessions, inventory))]
  const read = level === 'data' ? await readThem(content, chosen) : undefined
  const lost = read?.lost ?? new Map()
  const gone = read?.gone ?? (await compareChecksums(work, chosen))
  if (lost.size > 0 || gone.size > 0) unsound = await walkAgain(content, unusable, { lost, gone })
  return { unsound, ...tally(content, chosen, read) }
}

async function readThem(
  { work, sessions, reading, proofs }: ContentWork,
  packs: readonly KnownPack[],
): Promise<PacksRead> {
  work.progress.phase('read')
  return readPacks(work, sessions, reading.lease, packs, proofs)
}

/** Now with what reading has shown to be lost: what does that cost? */
async function walkAgain(
  { work, sessions, inventory, infos }: ContentWork,
  unusable: readonly KnownPack[],
  { lost, gone }: Pick<PacksRead, 'lost' | 'gone'>,
): Promise<Set<string>> {
  work.progress.phase('assess')
  work.findings.resetProblems()
  sessions.countNoMore()
  return walkTrees(work, sessions, infos, inventory.badPlaces([...unusable, ...gone], lost))
}

function tally(
  { work, proofs }: ContentWork,
  chosen: readonly KnownPack[],
  read: PacksRead | undefined,
): Omit<ContentResult, 'unsound'> {
  const now = work.engine.clock.now()
  const checked = new Map<string, Date | undefined>()
  for (const [pack, sound] of read?.checked ?? []) checked.set(pack.name, sound ? now : undefined)
  const provedMs = (name: string): number =>
    checked.has(name) ? (checked.get(name)?.getTime() ?? 0) : proofs.provedMs(name)
  const recent = chosen.filter(({ name, missing }) => !missing && provedMs(name) > now.getTime() - PROOF_LIFE_MS)
  return {
    checked,
    packsRead: checked.size,
    bytesRead: read?.bytes ?? 0,
    coverage: shareOf(recent, chosen),
    whole: read !== undefined && chosen.every((pack) => pack.missing || checked.has(pack.name)),
  }
}

function shareOf(some: readonly KnownPack[], all: readonly KnownPack[]): number {
  const total = bytesOf(all)
  return total === 0 ? 1 : bytesOf(some) / total
}

function bytesOf(packs: readonly KnownPack[]): number {
  return packs.reduce((sum, { bytes }) => sum + bytes, 0)
}
