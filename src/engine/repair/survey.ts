/** What is wrong with a repository, what of it can be saved, and what the rest costs. Changes nothing. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { packKey } from '../../repository/keys-layout.ts'
import type { DamagedObject } from '../../repository/records-listing.ts'
import { listTrash } from '../../repository/repair/trash.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { PackAnswer } from '../../workers/verify/pack.ts'
import type { Reading } from '../reading/reading.ts'
import { checkKeys, checkReports, chooseSnapshots } from '../verify/check-records.ts'
import { CheckSessions } from '../verify/check-sessions.ts'
import type { CheckWork } from '../verify/check-work.ts'
import type { KnownPack } from '../verify/inventory.ts'
import { compareChecksums } from '../verify/pack-checksums.ts'
import { Proofs } from '../verify/proofs.ts'
import { readPacks } from '../verify/read-packs.ts'
import { walkTrees } from '../verify/walk-trees.ts'
import type { Mirrors } from './mirrors.ts'
import { readSnapshots } from './snapshots.ts'
import { type Stock, takeStock } from './stock.ts'

export interface Survey {
  readonly stock: Stock
  readonly snapshots: readonly SnapshotInfo[]
  /** Ids of snapshots of which nothing can be read, here or in a mirror. */
  readonly unreadable: readonly string[]
  /** Forgotten ones that can still be brought back. */
  readonly trash: readonly SnapshotRecord[]
  readonly damagedTrash: readonly string[]
  /** Ids of those that have lost something. */
  readonly unsound: ReadonlySet<string>
  /** Packs that nothing can be read of, or not all, and that no mirror has. */
  readonly bad: readonly KnownPack[]
  /** Of those that are there: entries of the index that are lost, for each place. */
  readonly lost: ReadonlyMap<KnownPack, readonly (readonly number[])[]>
  readonly proofs: Proofs
}

/** Keys of objects that a finding is about, as it is. */
export function damagedKeys(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ object, severity }) => (object !== undefined && severity !== 'info' ? [object] : []))
}

export async function survey(work: CheckWork, reading: Reading, mirrors: Mirrors): Promise<Survey> {
  const { engine, findings, signal, progress } = work
  const { records } = engine.repository.repository
  progress.phase('list')
  await checkKeys(work)
  const chosen = await chooseSnapshots(work)
  await checkReports(work)
  const proofs = new Proofs(records)
  await proofs.load(signal)
  for (const { key, error } of proofs.damaged) findings.addDamaged(key, error, 'warning')
  const { trash, damaged } = await listTrash(records, { signal })
  for (const { key, error } of damaged) findings.addDamaged(key, error, 'warning')
  const stock = await takeStock(work, reading)
  refuseUnsupported(findings.list())
  for (const key of damagedKeys(findings.list())) if (!key.startsWith('packs/')) await mirrors.seek(key)
  for (const name of stock.unknown) await mirrors.seek(packKey(name))
  const healed = await readSnapshots(engine, mirrors, chosen.unreadable)
  const snapshots = [...chosen.infos, ...healed]
  const { bad, lost, unsound } = await checkPacks(work, reading, mirrors, stock, snapshots, proofs)
  return {
    stock,
    snapshots,
    unreadable: chosen.unreadable.filter((id) => !healed.some((info) => info.id === id)),
    trash: trash.map(({ snapshot }) => snapshot),
    damagedTrash: damaged.flatMap(({ key }: DamagedObject) => (mirrors.found.has(key) ? [] : [key])),
    unsound,
    bad,
    lost,
    proofs,
  }
}

async function checkPacks(
  work: CheckWork,
  reading: Reading,
  mirrors: Mirrors,
  stock: Stock,
  snapshots: readonly SnapshotInfo[],
  proofs: Proofs,
): Promise<Pick<Survey, 'bad' | 'lost' | 'unsound'>> {
  const { inventory } = stock
  const over = { ...work, engine: { ...work.engine, target: mirrors.over(work.engine.target) } }
  const sessions = await CheckSessions.open(over, reading, inventory)
  const all = [...inventory.packs.values()]
  const wrong = work.options.level === 'data' ? new Set<KnownPack>() : await compareChecksums(work, all)
  const suspect = all.filter((pack) => !pack.missing && (pack.trouble !== undefined || wrong.has(pack)))
  work.progress.phase('read')
  const read = await readPacks(work, sessions, reading.lease, work.options.level === 'data' ? all : suspect, proofs)
  refuseUnsupported(work.findings.list())
  const damaged = [...read.checked].filter(([, sound]) => !sound).map(([pack]) => pack)
  const bad: KnownPack[] = []
  for (const pack of new Set([...all.filter(({ missing }) => missing), ...damaged])) {
    if (!(await mirrors.seek(packKey(pack.name)))) bad.push(pack)
  }
  const gone = bad.filter((pack) => pack.missing || read.gone.has(pack))
  for (const pack of gone) pack.missing = true
  const lost = new Map([...read.lost].filter(([pack]) => bad.includes(pack)))
  work.progress.phase('walk')
  const unsound = await walkTrees(over, sessions, snapshots, inventory.badPlaces(gone, lost))
  return { bad, lost, unsound }
}

const UNSUPPORTED: readonly PackAnswer['code'][] = ['FORMAT_UNSUPPORTED', 'TRANSFORM_UNKNOWN']

/** What this program cannot read is not damaged: nothing is to be done about it. */
function refuseUnsupported(findings: readonly Finding[]): void {
  const found = findings.find(({ code }) => UNSUPPORTED.includes(code))
  if (!found) return
  throw new BackupError(found.code as 'FORMAT_UNSUPPORTED', `Nothing is repaired: ${found.message}`, {
    origin: 'repository',
    details: { ...(found.object !== undefined && { object: found.object }) },
    hint: 'Use a version of Holdfast, and the transforms, that can read all of this repository.',
  })
}
