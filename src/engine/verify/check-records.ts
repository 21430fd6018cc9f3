/** Everything but packs: configs, key slots, snapshots, forgotten ones, notes, reports. All read anew: what an engine remembers proves nothing. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import { checkKeys as checkRepositoryKeys } from '../../repository/keys/check-keys.ts'
import { PREFIX, parseKey } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import type { DamagedObject } from '../../repository/records-listing.ts'
import { Reports } from '../../repository/reports.ts'
import { type SnapshotInfo, Snapshots } from '../../repository/snapshots.ts'
import { TrashListing } from '../../repository/trash.ts'
import { resolveSnapshot } from '../snapshots/ref.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { CheckWork } from './check-work.ts'

export interface ChosenSnapshots {
  /** Newest first. */
  readonly infos: readonly SnapshotInfo[]
  /** Ids of chosen ones that cannot be read at all. */
  readonly unreadable: readonly string[]
}

/** Damage to what no chosen snapshot needs is worth a warning; of the whole repository it is an error. */
function severityOf({ options }: CheckWork): Finding['severity'] {
  return options.snapshots === 'all' ? 'error' : 'warning'
}

/** The snapshots that are meant. @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS */
export async function chooseSnapshots(work: CheckWork): Promise<ChosenSnapshots> {
  const { engine, options, signal, findings } = work
  const { records } = engine.repository.repository
  const [{ snapshots, damaged }, notes] = await Promise.all([
    new Snapshots(records).list({ signal }),
    new Notes(records).list({ signal }),
  ])
  for (const { key, error } of notes.damaged) findings.addDamaged(key, error, severityOf(work))
  const unreadable = new Set<string>()
  const chosen = new Set<string>()
  if (options.snapshots === 'all') {
    for (const { id } of snapshots) chosen.add(id)
    for (const { key } of damaged) unreadable.add(idOf(key))
  } else {
    const views = snapshots.map((info) => viewSnapshot(info, notes.notes.get(info.id)))
    for (const ref of options.snapshots) {
      // Whoever names one by its whole id means it even where nothing else of it can be read.
      const lost = damaged.some(({ key }) => ref === idOf(key))
      if (lost) unreadable.add(ref as string)
      else chosen.add(resolveSnapshot(views, ref).id)
    }
  }
  noteDamaged(work, damaged, unreadable)
  return { infos: snapshots.filter(({ id }) => chosen.has(id)), unreadable: [...unreadable] }
}

function noteDamaged({ findings }: CheckWork, damaged: readonly DamagedObject[], chosen: ReadonlySet<string>): void {
  for (const { key, error } of damaged) findings.addDamaged(key, error, chosen.has(idOf(key)) ? 'error' : 'warning')
}

function idOf(key: string): string {
  const parsed = parseKey(key)
  return parsed?.area === 'snapshots' ? parsed.id : key.slice(PREFIX.snapshots.length)
}

/** Configs and key slots: an engine that is open for weeks would learn of their loss only when it is opened again. */
export async function checkKeys({ engine, signal, findings }: CheckWork): Promise<void> {
  for (const { object, ...trouble } of await checkRepositoryKeys(engine.repository.repository.keys, signal)) {
    findings.add(object, trouble)
  }
}

/** Failures of the repository are findings; those of the target are not. */
export async function noting({ findings }: CheckWork, body: () => Promise<unknown>): Promise<void> {
  try {
    await body()
  } catch (error) {
    if (!BackupError.is(error) || error.origin !== 'repository') throw error
    const { key } = error.details
    findings.addDamaged(typeof key === 'string' ? key : undefined, error, 'error')
  }
}

/** The history. Nothing that is restored depends on it. */
export async function checkReports({ engine, signal, findings }: CheckWork): Promise<void> {
  const { damaged } = await new Reports(engine.repository.repository.records).list({ signal })
  for (const { key, error } of damaged) {
    findings.add(key, { code: error.code, message: error.message, severity: 'warning', fix: 'Delete the report.' })
  }
}

/** Forgotten snapshots: one that cannot be read cannot be brought back, and what it needs is not known. */
export async function checkTrash({ engine, signal, findings }: CheckWork): Promise<void> {
  const { damaged } = await new TrashListing(engine.repository.repository.records).list({ signal })
  for (const { key, error } of damaged) {
    const fix = 'Nothing is pruned until it is put back from a copy of the repository, or dropped by a repair.'
    findings.add(key, { code: error.code, message: error.message, severity: 'warning', fix })
  }
}
