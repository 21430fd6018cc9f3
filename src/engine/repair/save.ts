/**
 * What can be saved, saved: one run of the writers' protocol, so that prunes wait for it. What is sound of damaged packs goes
 * into new ones, lost content comes in from live sources, and the index says again what packs hold.
 */
import { hex } from '../../crypto/hash.ts'
import { newId, randomBytes } from '../../crypto/random.ts'
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { indexKey } from '../../repository/keys-layout.ts'
import { readPack } from '../../repository/pack-bytes.ts'
import { portions } from '../../repository/pack-portions.ts'
import { type Run, startRun } from '../../repository/runs.ts'
import { RepositoryWriter } from '../../repository/writer.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { FoundChunks } from '../../workers/repair/heal.ts'
import type { LostRows } from '../../workers/repair/losses.ts'
import type { SalvageAnswer, SalvageJob } from '../../workers/repair/salvage.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { warnOfCreateOnce } from '../create-once.ts'
import type { Reading } from '../reading/reading.ts'
import { repeatedTarget } from '../rewrite/repeated-target.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { KnownPack } from '../verify/inventory.ts'
import type { Diagnosis, Places } from './diagnose.ts'
import { readLive } from './live.ts'
import { readMirrors } from './mirror-chunks.ts'
import { damagedFragments, removable } from './steps.ts'
import { stillDamaged } from './still-damaged.ts'

export interface Saved {
  chunks: number
  bytes: number
  /** Names of the new packs. */
  packs: string[]
}

/** Of what one fragment says. */
const FRAGMENT_BYTES = 16 * 1024 * 1024

export async function saveAll(
  engine: EngineContext,
  run: RunContext,
  reading: Reading,
  diagnosis: Diagnosis,
  places: Places,
): Promise<Saved> {
  const { repository } = engine.repository
  const { clock, host } = engine
  const options = { runId: newId(clock.now()), verb: run.verb, host, clock, signal: run.signal }
  const protocol = await startRun(repository, options)
  warnOfCreateOnce(engine, run)
  try {
    const saving = new Saving(engine, run, reading, diagnosis, protocol)
    await saving.restate()
    return await saving.packs(places)
  } finally {
    await protocol.finish()
  }
}

class Saving {
  private readonly engine: EngineContext
  private readonly run: RunContext
  private readonly reading: Reading
  private readonly diagnosis: Diagnosis
  private readonly protocol: Run

  constructor(engine: EngineContext, run: RunContext, reading: Reading, diagnosis: Diagnosis, protocol: Run) {
    this.engine = engine
    this.run = run
    this.reading = reading
    this.diagnosis = diagnosis
    this.protocol = protocol
  }

  /** Facts are put before what cannot be read goes. */
  async restate(): Promise<void> {
    const { engine, run, reading, diagnosis, protocol } = this
    const { restated } = diagnosis.found.stock
    const { dead } = protocol.absent
    const facts = restated.filter(({ name }) => !dead.has(hex(name)))
    const target = repeatedTarget(engine, run)
    if (facts.length > 0) {
      run.progress.phase('index')
      const init = { vault: engine.repository.vault() }
      const session = reading.track(await reading.lease.threads[0]!.open('index', init, {}))
      for (const packs of portions(facts, FRAGMENT_BYTES)) {
        throwIfAborted(run.signal)
        const key = indexKey(hex(randomBytes(32)))
        const sealed = await session.call<Uint8Array<ArrayBuffer>>('seal', { key, runId: protocol.runId, packs })
        await target.put(key, sealed, { signal: run.signal })
      }
      await reading.end(session)
    }
    const { records } = engine.repository.repository
    const going = await stillDamaged(records, removable(diagnosis), { signal: run.signal })
    throwIfAborted(run.signal)
    if (going.length > 0) await target.delete(going, { signal: run.signal })
    if (damagedFragments(diagnosis).length > 0) run.progress.touch()
  }

  async packs(places: Places): Promise<Saved> {
    const { engine, run, reading, diagnosis, protocol } = this
    const { found, paths, healable } = diagnosis
    // Nobody in this process relies on these any more; what is sound of them is read below, by its place.
    engine.repository.index.markAbsent(new Set(found.bad.map(({ name }) => name)))
    await engine.repository.refreshIndex(reading.lease, run.signal, protocol)
    const damaged = found.bad.filter(({ missing }) => !missing)
    if (damaged.length === 0 && healable.length === 0) return { chunks: 0, bytes: 0, packs: [] }
    run.progress.phase('save')
    const writer = await this.openWriter()
    try {
      const tables = found.stock.inventory.tables.map(({ plain }) => plain)
      const session = await writer.add('repair', { tables })
      const saved = { chunks: 0, bytes: 0 }
      for (const pack of damaged) await this.salvage(session, pack, saved)
      const wanted: LostRows = { rows: healable, naming: new Uint8Array(0) }
      await session.call('wanted', wanted)
      if (healable.length > 0) await readMirrors(diagnosis.work, reading, places.mirrors, healable, session)
      if (healable.length > 0) await readLive(engine, run, places.sources, paths, session)
      const { rows } = await session.call<FoundChunks>('found', null)
      const view = Buffer.from(rows.buffer, rows.byteOffset, rows.length)
      for (let at = 0; at < rows.length; at += CHUNK_ROW_BYTES) saved.bytes += view.readUInt32LE(at + 32)
      saved.chunks += rows.length / CHUNK_ROW_BYTES
      await writer.finish()
      await writer.confirm()
      await writer.publish()
      await writer.close()
      return { ...saved, packs: writer.storedPacks }
    } catch (error) {
      await writer.close(error)
      throw error
    }
  }

  private async salvage(session: Session, known: KnownPack, saved: Saved | Omit<Saved, 'packs'>): Promise<void> {
    const { engine, run } = this
    throwIfAborted(run.signal)
    // In several tables it is the same pack.
    const [place] = known.places
    const bytes = await readPack(engine.target, known.name, { signal: run.signal })
    const job: SalvageJob = { ...place!, bytes }
    const answer = await session.call<SalvageAnswer>('salvage', job, [bytes.buffer])
    saved.chunks += answer.chunks
    saved.bytes += answer.bytes
    run.progress.touch()
  }

  private openWriter(): Promise<RepositoryWriter> {
    const { engine, run, reading, protocol } = this
    const { repository, index } = engine.repository
    return RepositoryWriter.open({
      target: repeatedTarget(engine, run),
      cache: repository.cache,
      vault: engine.repository.vault(),
      index,
      threads: reading.lease.threads,
      runId: protocol.runId,
      onUnreadable: 'skip',
      signal: run.signal,
      onStored: (bytes) => run.progress.add({ storedBytes: bytes }),
      onRead: () => run.progress.touch(),
    })
  }
}
