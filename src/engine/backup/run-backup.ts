/** The backup verb, in the protocol's order: run, parent, packs, index, and last of all the snapshot. */
import { newId } from '../../crypto/random.ts'
import type { SnapshotRecord, SnapshotSourceRecord } from '../../model/snapshot.ts'
import { commitSnapshot } from '../../repository/commit.ts'
import { type Run, startRun } from '../../repository/runs.ts'
import { RepositoryWriter } from '../../repository/writer.ts'
import type { Target } from '../../targets/target.ts'
import { isRetrying, retrying } from '../../targets/wrappers/retrying.ts'
import { isLost } from '../../workers/chunks/chunk-reader.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { warnOfCreateOnce } from '../create-once.ts'
import { type ParsedBackupOptions, sourceKeys } from '../options/backup.ts'
import { Reading } from '../reading/reading.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { loadFacts, type SourceFacts } from '../snapshots/source-facts.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { BackupResult } from '../types/backup.ts'
import type { EngineContext } from '../types/context.ts'
import { verifySnapshot } from '../verify/run-verify.ts'
import { BackupTally } from './backup-tally.ts'
import { type OpenedSources, openSources } from './open-sources.ts'
import { chooseParents, type Parents } from './parents.ts'
import { buildSnapshot, moveLargeFacts, type SnapshotOrigin } from './snapshot-record.ts'
import { backupSource } from './source-backup.ts'

export function backup(engine: EngineContext, options: ParsedBackupOptions): Promise<BackupResult> {
  const call = {
    verb: 'backup' as const,
    options,
    exclusive: sourceKeys(options.sources),
    describe: describeOptions(options),
    summarize: ({ snapshot, counts }: BodyResult<'backup'>) => ({ snapshot: snapshot.id, counts: { ...counts } }),
  }
  return withRun(engine, call, (run) => runBackup(engine, options, run))
}

/** One snapshot, as a part of a run. `origin`: of a copy. */
export async function runBackup(
  engine: EngineContext,
  options: ParsedBackupOptions,
  run: RunContext,
  origin?: SnapshotOrigin,
): Promise<BodyResult<'backup'>> {
  const { repository } = engine.repository
  const { signal } = run
  const { clock, host } = engine
  const leasing = engine.repository.lease()
  const starting = startRun(repository, { runId: newId(clock.now()), verb: run.verb, host, clock, signal })
  // Threads start while the target is asked. Both to their ends: what the one has taken is given back if the other fails.
  await Promise.allSettled([leasing, starting])
  try {
    const result = await backupWith(engine, options, run, leasing, starting, origin)
    const { verify } = options
    if (verify === 'data' || verify === 'content') await verifySnapshot(engine, result.snapshot.id, verify, run)
    return result
  } finally {
    await leasing.then((lease) => lease.release()).catch(() => undefined)
  }
}

async function backupWith(
  engine: EngineContext,
  options: ParsedBackupOptions,
  run: RunContext,
  leasing: Promise<Lease>,
  starting: Promise<Run>,
  origin: SnapshotOrigin | undefined,
): Promise<BodyResult<'backup'>> {
  const protocol = await starting
  try {
    const lease = await leasing
    for (const warning of engine.warnings) run.warn(warning)
    warnOfCreateOnce(engine, run)
    return await withinRun(engine, options, run, protocol, lease, origin)
  } finally {
    await protocol.finish()
  }
}

/** From here on a prune waits for this run. The parent is chosen now, and the index read after that, never before. */
async function withinRun(
  engine: EngineContext,
  options: ParsedBackupOptions,
  run: RunContext,
  protocol: Run,
  lease: Lease,
  origin: SnapshotOrigin | undefined,
): Promise<BodyResult<'backup'>> {
  const parents = await chooseParents(protocol.found, engine.host, options, run.signal)
  const loading = engine.repository.refreshIndex(lease, run.signal, protocol)
  const reading = new Reading(engine, borrowed(lease), run.signal)
  const factsOf = async (source: string): Promise<SourceFacts | undefined> => {
    const record = parents.recordOf(source)
    // Facts that are a chunk of their own need the index.
    if (record?.factsRef) await loading
    return record && parentFacts(reading, record, parents, run)
  }
  const opening = openSources(engine, options.sources, factsOf, run)
  // Both to their ends: what the one has opened must be closed when the other fails.
  await Promise.allSettled([opening, loading])
  await reading.close()
  const sources = await opening
  try {
    await loading
    return await writeSnapshot(engine, options, run, protocol, lease, parents, sources, origin)
  } finally {
    await sources.close()
  }
}

/** Of a parent that has lost them it is as if it had none: the source is read as a whole. */
async function parentFacts(
  reading: Reading,
  record: SnapshotSourceRecord,
  { lostFacts }: Parents,
  run: RunContext,
): Promise<SourceFacts | undefined> {
  const { name, factsRef } = record
  try {
    return await loadFacts(reading, record)
  } catch (error) {
    if (!isLost(error) || !factsRef) throw error
    lostFacts.push({ id: new Uint8Array(Buffer.from(factsRef.id, 'base64url')), bytes: factsRef.rawBytes })
    const message = `What the last snapshot recorded about ${name} is lost, so it is read without: ${error.message}`
    run.warn({ code: 'FACTS_LOST', message, details: { source: name, error: error.code } })
    return undefined
  }
}

/** For a user of the threads that must not give them back. */
function borrowed(lease: Lease): Lease {
  return { ...lease, release: () => undefined }
}

async function writeSnapshot(
  engine: EngineContext,
  options: ParsedBackupOptions,
  run: RunContext,
  protocol: Run,
  lease: Lease,
  parents: Parents,
  sources: OpenedSources,
  origin: SnapshotOrigin | undefined,
): Promise<BodyResult<'backup'>> {
  const tally = new BackupTally(run, options, origin !== undefined)
  const writer = await openWriter(engine, options, run, protocol, lease, tally)
  try {
    tally.expect(await sources.totals())
    run.progress.phase('read')
    for (const source of sources.list) {
      await backupSource({
        writer,
        threads: lease.threads,
        source,
        parent: parents.rootOf(source.name),
        options,
        tally,
        signal: run.signal,
      })
      await sources.release(source)
    }
    run.progress.phase('commit')
    const draft = (): SnapshotRecord =>
      buildSnapshot({ engine, options, run, protocol, parents, tally, sources: sources.records(), origin })
    for (const lost of parents.lostFacts) await writer.tree.call('check', lost)
    const { sources: records } = await moveLargeFacts(draft(), (bytes) => writer.tree.call('put', bytes))
    tally.stored(await writer.finish())
    if (options.verify !== 'none') await writer.confirm()
    const snapshot = { ...draft(), sources: records }
    const info = await commitSnapshot({
      records: engine.repository.repository.records,
      run: protocol,
      snapshot,
      clock: engine.clock,
      cache: engine.repository.repository.cache,
      signal: run.signal,
    })
    // Durable by now: an abort that comes too late, or a thread that dies, only costs reading the fragments back.
    await writer.publish().catch(() => undefined)
    await writer.close()
    const view = viewSnapshot(info)
    return { snapshot: view, counts: view.counts, verified: options.verify }
  } catch (error) {
    await writer.close(error)
    throw error
  }
}

function openWriter(
  engine: EngineContext,
  options: ParsedBackupOptions,
  run: RunContext,
  protocol: Run,
  lease: Lease,
  tally: BackupTally,
): Promise<RepositoryWriter> {
  const { repository, index } = engine.repository
  return RepositoryWriter.open({
    target: isRetrying(repository.target) ? repository.target : repeated(repository.target, engine, run),
    cache: repository.cache,
    vault: engine.repository.vault(),
    index,
    threads: lease.threads,
    runId: protocol.runId,
    onUnreadable: options.onEntryError,
    maxStoredBytes: options.maxStoredBytes,
    signal: run.signal,
    onStored: (bytes) => run.progress.add({ storedBytes: bytes }),
    onRead: (bytes) => tally.reading(bytes),
  })
}

/** Uploads on this machine too: a network share is one as well. */
function repeated(target: Target, { clock }: EngineContext, run: RunContext): Target {
  return retrying(target, { clock, onRetry: (notice) => run.emit('target:retry', notice) })
}
