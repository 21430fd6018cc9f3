import { mapBounded } from '../../util/concurrency.ts'
import type { Sink, SinkChange, SinkContext, SinkEntry, SinkPlan, SinkReader } from '../sink.ts'
import { type S3SinkOptions, type S3SinkSettings, settleSink } from './options.ts'
import { NO_OBJECT, SinkBucket } from './sink-bucket.ts'
import { S3SinkSession } from './sink-session.ts'

/**
 * A bucket as a sink: each entry becomes an object, one that came from `s3Source` with its headers, metadata and tags.
 * Nothing is deleted. Objects that are equal stay as they are; others in the way make the plan `blocked`, or with
 * `existing: 'replace'` are overwritten.
 *
 * A new object is there as soon as it is whole, and a rollback deletes it again. One that replaces another, and all of a
 * drill, is uploaded in parts that nobody sees before the commit. After the commit what was replaced comes back by a
 * rollback only where the bucket keeps versions.
 * @throws BackupError INVALID_OPTIONS
 */
export function s3Sink(options: S3SinkOptions): Sink {
  const settings = settleSink(options)
  return {
    apiVersion: 1,
    name: 's3',
    open: async (context) => new S3SinkSession(options, settings, context),
    plan: (context, reader) => planBucket(options, settings, context, reader),
  }
}

async function planBucket(
  options: S3SinkOptions,
  settings: S3SinkSettings,
  context: SinkContext,
  reader: SinkReader,
): Promise<SinkPlan> {
  const bucket = new SinkBucket(options, settings)
  try {
    const isVersioned = await bucket.isVersioned(context.signal)
    const changes: SinkChange[] = []
    const look = (entry: SinkEntry, signal: AbortSignal) => changeOf(bucket, settings, entry, signal)
    for await (const change of mapBounded(eachEntry(reader), settings.maxConcurrency, look, context.signal)) {
      if (change) changes.push(change)
    }
    const replaced = changes.filter(({ type }) => type === 'replace').length
    const warnings = replaced > 0 && !isVersioned ? [notVersioned(bucket.name, replaced)] : []
    return { changes, warnings, destructive: replaced > 0 }
  } finally {
    await bucket.close()
  }
}

async function* eachEntry(reader: SinkReader): AsyncGenerator<SinkEntry> {
  for await (const batch of reader.entries()) yield* batch
}

function notVersioned(bucket: string, replaced: number): SinkPlan['warnings'][number] {
  const message = `the bucket ${bucket} keeps no versions: ${replaced} objects that are replaced cannot be brought back`
  return { code: 'S3_NOT_VERSIONED', message, details: { bucket, replaced } }
}

/** Undefined where nothing has to be done. */
async function changeOf(
  bucket: SinkBucket,
  { existing }: S3SinkSettings,
  entry: SinkEntry,
  signal: AbortSignal,
): Promise<SinkChange | undefined> {
  if (NO_OBJECT.has(entry.type)) return undefined
  const key = bucket.keyOf(entry)
  const change = { path: entry.from ?? entry.path, to: `s3://${bucket.name}/${key}`, bytes: entry.size }
  const found = await bucket.head(key, signal)
  if (found === undefined) return { ...change, type: 'create' }
  if (bucket.isSame(found, entry)) return undefined
  if (existing === 'replace') return { ...change, type: 'replace' }
  return { ...change, type: 'blocked', reason: 'another object is there' }
}
