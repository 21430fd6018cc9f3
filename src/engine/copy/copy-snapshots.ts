/** Snapshots of one repository into another. */
import { BackupError } from '../../errors.ts'
import { linkAbort } from '../../util/abort.ts'
import { runBackup } from '../backup/run-backup.ts'
import type { ParsedBackupOptions } from '../options/backup.ts'
import { type ParsedCopyOptions, parseCopyOptions } from '../options/copy.ts'
import { type Reading, withReading } from '../reading/reading.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { loadSnapshots } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { CopyOptions, CopyResult } from '../types/copy.ts'
import { type ChosenOriginals, Copies, chooseOriginals, type Original, originOf } from './copy-choice.ts'
import { snapshotSource } from './snapshot-source.ts'

/**
 * Copies snapshots from one repository into another: opened, cut, named and encrypted anew, since no two repositories have
 * the same keys, and checked on the way. A copy has an id of its own and keeps everything else (time, host, name, tags,
 * labels, what the sources said of themselves); its `copiedFrom` names the first original. What `to` has already is not
 * copied again, and of the others only entries are read whose content is not that of the copy before; so it can be called
 * after every backup. Each copy is a commit of its own: after an abort or a failure the next call goes on from there.
 * Proofs and holds stay with the original.
 * @throws BackupError INVALID_OPTIONS, SNAPSHOT_NOT_FOUND, OBJECT_MISSING, OBJECT_CORRUPT, TARGET_*, ABORTED
 */
export async function copySnapshots(options: CopyOptions): Promise<CopyResult> {
  const { options: parsed, from, to } = parseCopyOptions(options)
  from.lifetime.assertOpen()
  const call = {
    verb: 'copy' as const,
    options: parsed,
    exclusive: ['copy'],
    describe: { from: from.repository.id },
    summarize: ({ copied, present, bytes, storedBytes }: BodyResult<'copy'>) => ({
      counts: { copied: copied.length, present, bytes, storedBytes },
    }),
  }
  return await withRun(to, call, (run) => withBoth(from, run, (both) => copyAll(from, to, parsed, both)))
}

/** The run ends with the other engine, too. */
async function withBoth<T>(from: EngineContext, run: RunContext, body: (run: RunContext) => Promise<T>): Promise<T> {
  const linked = linkAbort(run.signal, from.lifetime.signal)
  try {
    return await body({ ...run, signal: linked.signal })
  } finally {
    linked.dispose()
  }
}

async function copyAll(
  from: EngineContext,
  to: EngineContext,
  options: ParsedCopyOptions,
  run: RunContext,
): Promise<BodyResult<'copy'>> {
  const repository = from.repository.id
  const [chosen, present] = await Promise.all([
    chooseOriginals(from, options, run.signal),
    loadSnapshots(to, run.signal),
  ])
  const copies = new Copies(to.repository.id, present)
  const missing = chosen.originals.filter(({ view }) => !copies.find(repository, view))
  const result = { copied: [], present: chosen.originals.length - missing.length, bytes: 0, storedBytes: 0 }
  if (missing.length > 0) {
    run.progress.total(totalOf(missing))
    await withReading(from, run.signal, (reading) => copyMissing(reading, to, missing, copies, run, result))
  }
  refuseDamaged(chosen, result)
  return result
}

function totalOf(missing: readonly Original[]): { items: number; bytes: number } {
  const sources = missing.flatMap(({ view }) => view.sources)
  return {
    items: sources.reduce((sum, { entries }) => sum + entries, 0),
    bytes: sources.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

async function copyMissing(
  reading: Reading,
  to: EngineContext,
  missing: readonly Original[],
  copies: Copies,
  run: RunContext,
  result: BodyResult<'copy'>,
): Promise<void> {
  const repository = reading.engine.repository.id
  for (const original of missing) {
    const parent = copies.parentFor(repository, original)
    const copy = await copyOne(reading, to, original, parent?.id ?? 'none', run)
    copies.add(copy.snapshot)
    result.copied.push(copy.snapshot.id)
    result.bytes += copy.counts.readBytes
    result.storedBytes += copy.counts.storedBytes
  }
}

function copyOne(
  reading: Reading,
  to: EngineContext,
  { view, info }: Original,
  parent: string,
  run: RunContext,
): Promise<BodyResult<'backup'>> {
  const options: ParsedBackupOptions = {
    sources: info.record.sources.map((source) => snapshotSource(reading, source)),
    ...(view.name !== undefined && { name: view.name }),
    ...(view.description !== undefined && { description: view.description }),
    tags: view.tags,
    labels: view.labels,
    parent,
    onEntryError: 'fail',
    verify: 'structure',
  }
  const { createdAt, host, kind, complete, actor, schedule } = info.record
  return runBackup(to, options, run, {
    createdAt,
    host,
    kind,
    complete,
    ...(actor !== undefined && { actor }),
    ...(schedule !== undefined && { schedule }),
    copiedFrom: originOf(reading.engine.repository.id, view),
  })
}

/** After all that could be copied: what cannot be read must not look as if it had been copied. */
function refuseDamaged({ damaged }: ChosenOriginals, { copied, present }: BodyResult<'copy'>): void {
  const [first] = damaged
  if (!first) return
  const { code, message } = first.error
  throw new BackupError(code, `${damaged.length} snapshots of the origin cannot be read: ${message}`, {
    origin: 'repository',
    details: { key: first.key, damaged: damaged.length, copied: copied.length, present },
    hint: 'All others are copied. Run verify on the origin, or name the snapshots to copy.',
    cause: first.error,
  })
}
