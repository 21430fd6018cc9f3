/** importZip: a ZIP as a snapshot. */

import { runBackup } from '../backup/run-backup.ts'
import type { SnapshotOrigin } from '../backup/snapshot-record.ts'
import { assertUniqueNames, type ParsedBackupOptions } from '../options/backup.ts'
import type { ParsedImportZipOptions } from '../options/zip.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import type { EngineContext } from '../types/context.ts'
import type { ImportResult } from '../types/zip.ts'
import { ArchiveIn } from './archive-in.ts'
import { ZipReader } from './zip-reader.ts'
import { type ZipContents, zipContents } from './zip-sources.ts'

export function importZip(engine: EngineContext, options: ParsedImportZipOptions): Promise<ImportResult> {
  const { from, ...described } = options
  const call = {
    verb: 'import' as const,
    options,
    describe: { ...(describeOptions(described) as object), from: placeOf(from) },
    summarize: ({ snapshot, counts }: BodyResult<'import'>) => ({ snapshot: snapshot.id, counts: { ...counts } }),
  }
  return withRun(engine, call, (run) => runImport(engine, options, run))
}

function placeOf(from: ParsedImportZipOptions['from']): string {
  if ('path' in from) return from.path
  return 'stream' in from ? 'a stream' : `${from.target.name}: ${from.key}`
}

async function runImport(
  engine: EngineContext,
  options: ParsedImportZipOptions,
  run: RunContext,
): Promise<BodyResult<'import'>> {
  run.progress.phase('directory')
  const archive = await ArchiveIn.open(options.from, options.key, run.signal)
  try {
    const reader = await ZipReader.open(archive, run.signal)
    const contents = await zipContents(reader, options.source, options)
    assertUniqueNames(contents.sources, 'importZip')
    return await runBackup(engine, backupOptions(options, contents), run, originOf(engine, contents, run))
  } finally {
    await archive.close()
  }
}

function backupOptions(options: ParsedImportZipOptions, { sources, snapshot }: ZipContents): ParsedBackupOptions {
  const name = options.name ?? snapshot?.name
  return {
    sources,
    ...(name !== undefined && { name }),
    ...(snapshot?.description !== undefined && { description: snapshot.description }),
    tags: [...new Set(options.tags ?? snapshot?.tags ?? [])],
    labels: snapshot?.labels ?? {},
    parent: 'none',
    onEntryError: 'fail',
    verify: 'structure',
  }
}

/** A ZIP may say of itself what it likes, but not that it is of the future. */
function originOf(engine: EngineContext, { snapshot }: ZipContents, run: RunContext): SnapshotOrigin {
  const now = engine.clock.now()
  if (!snapshot) {
    const { host } = engine
    return {
      createdAt: now,
      host,
      kind: 'import',
      complete: true,
      ...(run.actor !== undefined && { actor: run.actor }),
    }
  }
  const { createdAt, host, complete, actor, schedule } = snapshot
  return {
    createdAt: new Date(Math.min(Date.parse(createdAt), now.getTime())),
    host,
    kind: 'import',
    complete,
    ...(actor !== undefined && { actor }),
    ...(schedule !== undefined && { schedule }),
  }
}
