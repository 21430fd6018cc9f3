/** exportZip: a snapshot, or a part of it, as a ZIP that any tool opens. */
import { throwIfAborted } from '../../util/abort.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { ZipBlock, ZipPlan, ZipResult } from '../../workers/zip/service.ts'
import type { ParsedExportZipOptions } from '../options/zip.ts'
import { type Reading, withReading } from '../reading/reading.ts'
import { requireSources } from '../restore/plan-restore.ts'
import { selectorOf } from '../restore/restore-request.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { findSnapshot } from '../snapshots/load.ts'
import { loadFacts } from '../snapshots/source-facts.ts'
import { treeRoot, viewSnapshot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { ExportResult } from '../types/zip.ts'
import { secretFor } from './age-origin.ts'
import { type ByteSink, openSink } from './byte-sinks.ts'
import { type ExportSource, prefixOf } from './export-sources.ts'
import { metadataHead } from './metadata.ts'

/** A ZIP is one row of bytes; of what more threads could do, each would cost 20 MB. */
const THREADS = 1

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
  return withReading(
    engine,
    run.signal,
    async (reading) => {
      const sources = await sourcesOf(
        reading,
        info.record.sources.filter(({ name }) => wanted.has(name)),
      )
      expect(run, options, sources)
      const snapshot = viewSnapshot(info)
      const plan: ZipPlan = {
        sources: sources.map(({ name, prefix, record }) => ({ name, prefix, root: treeRoot(record) })),
        select: selector,
        level: options.compressionLevel,
        ...(options.encrypt && { encrypt: secretFor(options.encrypt) }),
        metadataHead: metadataHead(snapshot, engine.repository.id, sources),
        mtimeSeconds: Math.floor(snapshot.createdAt.getTime() / 1000),
      }
      return { snapshot: snapshot.id, ...(await writeTo(reading, options, run, plan)) }
    },
    THREADS,
  )
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

type Written = Pick<BodyResult<'export'>, 'entries' | 'bytes' | 'sha256' | 'volumes'>

async function writeTo(
  reading: Reading,
  options: ParsedExportZipOptions,
  run: RunContext,
  plan: ZipPlan,
): Promise<Written> {
  const sink = await openSink(options.to, options.maxVolumeBytes, run.signal)
  try {
    const { entries, size, sha256 } = await carry(await reading.open('zip', plan), sink, run)
    throwIfAborted(run.signal)
    return { entries, bytes: size, sha256, volumes: await sink.finish() }
  } catch (error) {
    await sink.abort(error)
    throw error
  }
}

/** Blocks that are asked for while one is written. */
const BLOCKS_AHEAD = 2

async function carry(session: Session, sink: ByteSink, run: RunContext): Promise<ZipResult> {
  const asked: Promise<ZipBlock | null>[] = []
  const ask = (): void => {
    const block = session.call<ZipBlock | null>('next', null)
    // Whoever waits for it meets the error; those behind it are given up.
    block.catch(() => undefined)
    asked.push(block)
  }
  for (let i = 0; i < BLOCKS_AHEAD; i++) ask()
  for (let next = await asked.shift(); next; next = await asked.shift()) {
    ask()
    throwIfAborted(run.signal)
    const { block, items, bytes, path } = next
    await sink.write(block)
    run.progress.add({ items, bytes, ...(path !== '' && { currentPath: path }) })
  }
  return session.call<ZipResult>('result', null)
}
