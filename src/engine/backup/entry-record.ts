/** The record of an entry whose content a worker has taken, with the facts that only then are known. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, MAX_ATTRIBUTE_BYTES, writeMeta } from '../../model/entry.ts'
import type { EntryFacts, SourceEntry } from '../../sources/source.ts'
import { race } from '../../util/abort.ts'
import { ByteWriter } from '../../util/bytes.ts'
import type { StreamEnd } from '../../workers/ingest/stream-ingest.ts'
import { insteadOf } from './entry-content.ts'
import { fromSource } from './open-sources.ts'

/** u32-prefixed records go into a result; this is one without its prefix. */
export function recordOf(meta: EntryMeta, { streams }: StreamEnd): Uint8Array {
  const head = new ByteWriter(256)
  writeMeta(head, meta)
  const out = new ByteWriter(head.length + streams.length + 16)
  out.varint(head.length)
  out.raw(head.view())
  out.varint(streams.length)
  out.raw(streams)
  return out.view()
}

/** The entry's metadata, completed by its source where it wants to. Throws what `finish` throws, as the source's. */
export async function finishedMeta(
  source: string,
  meta: EntryMeta,
  entry: SourceEntry,
  { bytes, proof }: StreamEnd,
  signal: AbortSignal,
): Promise<EntryMeta> {
  const { content } = entry
  const whole = { ...meta, ...insteadMeta(entry), sizeBytes: insteadOf(entry)?.size ?? meta.sizeBytes ?? bytes }
  if (!proof || content?.from !== 'stream' || !content.finish) return whole
  const facts = await race(fromSource(source, (async () => content.finish!(proof))()), signal)
  return { ...whole, attributes: merged(source, meta, facts) }
}

function insteadMeta(entry: SourceEntry): Pick<EntryMeta, 'mtimeNs'> {
  const { modifiedAt } = insteadOf(entry) ?? {}
  return modifiedAt === undefined ? {} : { mtimeNs: BigInt(modifiedAt.getTime()) * 1_000_000n }
}

/** Names that begin with `holdfast.` are not the source's. */
function merged(source: string, { path, attributes }: EntryMeta, facts: EntryFacts): EntryFacts {
  const own = Object.entries(attributes ?? {}).filter(([name]) => name.startsWith('holdfast.'))
  const all = { ...attributes, ...facts, ...Object.fromEntries(own) }
  const bytes = jsonBytes(source, path, all)
  if (bytes <= MAX_ATTRIBUTE_BYTES) return all
  throw new BackupError(
    'LIMIT_EXCEEDED',
    `The facts of "${path}" take ${bytes} bytes; ${MAX_ATTRIBUTE_BYTES} can be kept.`,
    {
      origin: 'source',
      details: { source, path, bytes, limit: MAX_ATTRIBUTE_BYTES },
      hint: 'Facts describe an entry in short; what is long belongs into its content.',
    },
  )
}

function jsonBytes(source: string, path: string, facts: EntryFacts): number {
  try {
    return Buffer.byteLength(JSON.stringify(facts))
  } catch (error) {
    throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave facts of "${path}" that are not JSON.`, {
      origin: 'source',
      details: { source, path },
      cause: error,
    })
  }
}
