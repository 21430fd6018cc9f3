/** exportZip: a snapshot, or a part of it, as a ZIP that any tool opens. */
import { throwIfAborted } from '../../util/abort.ts'
import { findSnapshot } from '../load-snapshots.ts'
import type { ParsedExportZipOptions } from '../options-zip.ts'
import { type Reading, withReading } from '../reading.ts'
import { requireSources } from '../restore/plan-restore.ts'
import { selectorOf } from '../restore/restore-request.ts'
import { type BodyResult, type RunContext, withRun } from '../run-context.ts'
import { describeOptions } from '../run-report.ts'
import { viewSnapshot } from '../snapshot-view.ts'
import { loadFacts } from '../source-facts.ts'
import type { EngineContext } from '../types-context.ts'
import type { Snapshot } from '../types-snapshot.ts'
import type { ExportResult } from '../types-zip.ts'
import { ArchiveOut } from './archive-out.ts'
import { openSink } from './byte-sinks.ts'
import { type ExportSource, prefixOf } from './export-items.ts'
import { ZipExport } from './zip-export.ts'

export function exportZip(engine: EngineContext, options: ParsedExportZipOptions): Promise<ExportResult> {
  const { to, ...described } = options
  const call = {
    verb: 'export' as const,
    options,
    describe: { ...(describeOptions(described) as object), to: placeOf(to) },
    summarize: ({ snapshot, entries, bytes }: BodyResult<'export'>) => ({ snapshot, counts: { entries, bytes } }),
  }
  return withRun(engine, call, (run) => runExport(engine, options, run))
}

function placeOf(to: ParsedExportZipOptions['to']): string {
  if ('path' in to) return to.path
  return 'stream' in to ? 'a stream' : `${to.target.name}: ${to.key}`
}

async function runExport(
  engine: EngineContext,
  options: ParsedExportZipOptions,
  run: RunContext,
): Promise<BodyResult<'export'>> {
  const info = await findSnapshot(engine, options.snapshot, run.signal)
  const { select = {} } = options
  const there = info.record.sources.map(({ name }) => name)
  const wanted = new Set(requireSources(select.sources ?? there, there))
  const selector = selectorOf({
    include: [...(select.include ?? [])],
    exclude: [...(select.exclude ?? [])],
    changedAfter: select.changedAfter?.toISOString() ?? null,
  })
  return withReading(engine, run.signal, async (reading) => {
    const sources = await sourcesOf(
      reading,
      info.record.sources.filter(({ name }) => wanted.has(name)),
    )
    expect(run, options, sources)
    const parts = { snapshot: viewSnapshot(info), sources, selector }
    return writeTo(engine, reading, options, run, parts)
  })
}

async function sourcesOf(reading: Reading, records: readonly ExportSource['record'][]): Promise<ExportSource[]> {
  const sources: ExportSource[] = []
  for (const record of records) {
    const { name, kind } = record
    sources.push({ name, kind, prefix: prefixOf(record), facts: await loadFacts(reading, record), record })
  }
  return sources
}

/** A part can only be counted by walking it. */
function expect(run: RunContext, { select }: ParsedExportZipOptions, sources: readonly ExportSource[]): void {
  run.progress.phase('export')
  if (select?.include || select?.exclude || select?.changedAfter) return
  const sum = (pick: (record: ExportSource['record']) => number): number =>
    sources.reduce((total, { record }) => total + pick(record), 0)
  run.progress.total({ items: sum(({ entries }) => entries), bytes: sum(({ bytes }) => bytes) })
}

async function writeTo(
  engine: EngineContext,
  reading: Reading,
  options: ParsedExportZipOptions,
  run: RunContext,
  parts: { snapshot: Snapshot; sources: readonly ExportSource[]; selector: ReturnType<typeof selectorOf> },
): Promise<BodyResult<'export'>> {
  const sink = await openSink(options.to, options.maxVolumeBytes, run.signal)
  try {
    const out = new ArchiveOut(sink, run.signal)
    const work = { ...parts, reading, run, repository: engine.repository.id, level: options.compressionLevel }
    const entries = await new ZipExport(out, work).write()
    throwIfAborted(run.signal)
    return { snapshot: parts.snapshot.id, entries, ...(await out.finish()) }
  } catch (error) {
    await sink.abort(error)
    throw error
  }
}
