/** What is wrong with a repository, what of it can be saved, and what the rest costs. Changes nothing. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { packKey, snapshotKey } from '../../repository/keys-layout.ts'
import type { Records } from '../../repository/records.ts'
import { type DamagedObject, isDamage } from '../../repository/records-listing.ts'
import { listTrash } from '../../repository/repair/trash.ts'
import { readAbsentPacks, readDeadPacks } from '../../repository/runs-absent.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { PackAnswer } from '../../workers/verify/pack.ts'
import type { Reading } from '../reading/reading.ts'
import { checkKeys, checkReports, chooseSnapshots } from '../verify/check-records.ts'
import { CheckSessions } from '../verify/check-sessions.ts'
import type { CheckWork } from '../verify/check-work.ts'
import { Findings } from '../verify/findings.ts'
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
  /** The same of forgotten ones. */
  readonly unsoundTrash: ReadonlySet<string>
  /** Packs that nothing can be read of, or not all, and that no mirror has. */
  readonly bad: readonly KnownPack[]
  /** Of those that are there: entries of the index that are lost, for each place. */
  readonly lost: ReadonlyMap<KnownPack, readonly (readonly number[])[]>
}

/** Keys of objects that a finding is about, as it is. */
export function damagedKeys(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ object, severity }) => (object !== undefined && severity !== 'info' ? [object] : []))
}

/** A prune of another host that ends meanwhile makes what was read before it look like damage. */
const MAX_LOOKS = 4

export async function survey(work: CheckWork, reading: Reading, mirrors: Mirrors): Promise<Survey> {
  const { engine, findings, signal, progress } = work
  progress.phase('list')
  await checkKeys(work)
  await checkReports(work)
  const proofs = new Proofs(engine.repository.repository.records)
  await proofs.load(signal)
  for (const { key, error } of proofs.damaged) findings.addDamaged(key, error, 'warning')
  const sound = new Set<string>()
  for (let look = 1; ; look++) {
    const gc = await readableGc(work, mirrors)
    const found = await lookOnce(work, reading, mirrors, { gc, proofs, sound })
    const died = (await readDeadPacks(gc, { signal }, found.stock.dead)).dead
    const isStale = [...found.stock.inventory.packs.keys()].some((name) => died.has(name))
    if (!isStale || look === MAX_LOOKS) return found
    for (const name of died) findings.forget(packKey(name))
    findings.resetProblems()
  }
}

interface Basis {
  readonly gc: Records
  readonly proofs: Proofs
  /** Names of packs that were read already, and are as they were stored. */
  readonly sound: Set<string>
}

async function lookOnce(work: CheckWork, reading: Reading, mirrors: Mirrors, basis: Basis): Promise<Survey> {
  const { engine, findings, signal } = work
  const chosen = await chooseSnapshots(work)
  const { trash, damaged } = await listTrash(engine.repository.repository.records, { signal })
  for (const { key, error } of damaged) findings.addDamaged(key, error, 'warning')
  const stock = await takeStock(work, reading, basis.gc)
  refuseUnsupported(findings.all())
  for (const key of damagedKeys(findings.all())) if (!key.startsWith('packs/')) await mirrors.seek(key)
  for (const name of stock.unknown) await mirrors.seek(packKey(name))
  const healed = await readSnapshots(engine, mirrors, chosen.unreadable)
  const snapshots = [...chosen.infos, ...healed]
  const forgotten = trash.map(({ snapshot }) => snapshot)
  const packs = await new PackCheck(work, reading, mirrors, stock, basis).all(snapshots, forgotten)
  return {
    stock,
    snapshots,
    unreadable: chosen.unreadable.filter((id) => !mirrors.found.has(snapshotKey(id))),
    trash: forgotten,
    damagedTrash: damaged.flatMap(({ key }: DamagedObject) => (mirrors.found.has(key) ? [] : [key])),
    ...packs,
  }
}

/** Which packs are dead is never guessed: what is damaged of it has to be in a mirror. */
async function readableGc({ engine, findings, signal }: CheckWork, mirrors: Mirrors): Promise<Records> {
  const { records, target } = engine.repository.repository
  const asked = new Set<unknown>()
  for (;;) {
    const mended = records.through(mirrors.over(target))
    try {
      await readAbsentPacks(mended, { signal })
      return mended
    } catch (error) {
      if (!isDamage(error)) throw error
      const { key } = error.details
      if (typeof key !== 'string' || asked.has(key) || !(await mirrors.seek(key))) throw error
      asked.add(key)
      findings.addDamaged(key, error, 'error')
    }
  }
}

type PackFindings = Pick<Survey, 'bad' | 'lost' | 'unsound' | 'unsoundTrash'>

class PackCheck {
  private readonly work: CheckWork
  private readonly over: CheckWork
  private readonly reading: Reading
  private readonly mirrors: Mirrors
  private readonly stock: Stock
  private readonly basis: Basis
  private readonly checked = new Map<KnownPack, boolean>()
  private readonly lostOf = new Map<KnownPack, number[][]>()

  constructor(work: CheckWork, reading: Reading, mirrors: Mirrors, stock: Stock, basis: Basis) {
    this.work = work
    this.over = { ...work, engine: { ...work.engine, target: mirrors.over(work.engine.target) } }
    this.reading = reading
    this.mirrors = mirrors
    this.stock = stock
    this.basis = basis
  }

  async all(snapshots: readonly SnapshotInfo[], trash: readonly SnapshotRecord[]): Promise<PackFindings> {
    const { work, over, reading, stock } = this
    const sessions = await CheckSessions.open(over, reading, stock.inventory)
    await this.read(sessions, await this.suspects())
    for (;;) {
      const bad = await this.bad()
      const lost = new Map([...this.lostOf].filter(([pack]) => bad.includes(pack)))
      const places = stock.inventory.badPlaces(
        bad.filter(({ missing }) => missing),
        lost,
      )
      work.progress.phase('walk')
      const unsound = await walkTrees(over, sessions, snapshots, places)
      // What a forgotten one has lost is no damage to those that are there.
      const apart = { ...over, findings: new Findings() }
      const forgotten = trash.map((record) => ({ id: record.id, record }))
      const unsoundTrash = await walkTrees(apart, sessions, forgotten, places)
      const met = this.met([...work.findings.all(), ...apart.findings.all()])
      if (met.length === 0) return { bad, lost, unsound, unsoundTrash }
      await this.read(sessions, met)
      work.findings.resetProblems()
      sessions.countNoMore()
    }
  }

  private async suspects(): Promise<KnownPack[]> {
    const { work, stock } = this
    const all = [...stock.inventory.packs.values()]
    if (work.options.level === 'data') return all.filter(({ name }) => !this.basis.sound.has(name))
    const wrong = await compareChecksums(work, all)
    return all.filter((pack) => !pack.missing && (pack.trouble !== undefined || wrong.has(pack)))
  }

  /** Packs that a page could not be read from, and that nobody suspected. */
  private met(findings: readonly Finding[]): KnownPack[] {
    const keys = new Set(findings.map(({ object }) => object))
    const all = [...this.stock.inventory.packs.values()]
    return all.filter((pack) => !pack.missing && !this.checked.has(pack) && keys.has(packKey(pack.name)))
  }

  private async read(sessions: CheckSessions, packs: readonly KnownPack[]): Promise<void> {
    const { work, reading, basis } = this
    work.progress.phase('read')
    const read = await readPacks(work, sessions, reading.lease, packs, basis.proofs)
    refuseUnsupported(work.findings.all())
    for (const [pack, sound] of read.checked) {
      this.checked.set(pack, sound)
      if (sound) basis.sound.add(pack.name)
    }
    for (const [pack, lost] of read.lost) this.lostOf.set(pack, lost)
    for (const pack of read.gone) pack.missing = true
  }

  /** Of those that are missing or damaged: what no mirror has. */
  private async bad(): Promise<KnownPack[]> {
    const bad: KnownPack[] = []
    for (const pack of this.stock.inventory.packs.values()) {
      const isHurt = pack.missing || this.checked.get(pack) === false
      if (isHurt && !(await this.mirrors.seek(packKey(pack.name)))) bad.push(pack)
    }
    return bad
  }
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
