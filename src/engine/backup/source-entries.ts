/** A custom source's entries and their content, as workers take them. */
import { sha256 } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, TYPE_OTHER } from '../../model/entry.ts'
import {
  BatchWriter,
  type EntryBatch,
  FLAG_CONTENT,
  FLAG_FORCE_READ,
  FLAG_LATE_FACTS,
} from '../../model/entry-batch.ts'
import type { SourceEntry, SourceSession } from '../../sources/source.ts'
import { isSafePath, userToLatin1 } from '../../util/paths.ts'
import { pulled } from './pulled.ts'

export interface SourceBatch {
  batch: EntryBatch
  /** Those that have content, by latin1 path. */
  contents: ReadonlyMap<string, SourceEntry>
}

/** Batches as the source gives them, none of them empty. */
export async function* sourceBatches(
  source: string,
  session: SourceSession,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch> {
  for await (const entries of pulled(source, session.entries(), signal)) {
    if (entries.length > 0) yield batchOf(source, entries)
  }
}

function batchOf(source: string, entries: readonly SourceEntry[]): SourceBatch {
  const contents = new Map<string, SourceEntry>()
  const writer = new BatchWriter()
  for (const entry of entries) addEntry(writer, contents, source, entry)
  return { batch: writer.take('', 0), contents }
}

function addEntry(out: BatchWriter, contents: Map<string, SourceEntry>, source: string, entry: SourceEntry): void {
  const meta = metaOf(entry)
  if (!isSafePath(meta.path)) {
    throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave a path that cannot be kept: "${entry.path}".`, {
      origin: 'source',
      details: { source, path: entry.path },
      hint: "Paths are relative, without empty, '.' or '..' segments and without NUL.",
    })
  }
  const [low, high] = fingerprintOf(entry.fingerprint)
  if (entry.content) contents.set(meta.path, entry)
  out.add(meta, flagsOf(entry), low, high)
}

function flagsOf({ content, fingerprint }: SourceEntry): number {
  if (!content) return 0
  const forced = fingerprint === undefined ? FLAG_FORCE_READ : 0
  return FLAG_CONTENT | forced | (content.from === 'stream' && content.finish ? FLAG_LATE_FACTS : 0)
}

function metaOf(entry: SourceEntry): EntryMeta {
  const type = ENTRY_TYPES.indexOf(entry.type as (typeof ENTRY_TYPES)[number])
  const attributes = { ...entry.facts, ...(type < 0 && { 'holdfast.type': entry.type }) }
  const { mtimeNs = entry.modifiedAt && BigInt(entry.modifiedAt.getTime()) * 1_000_000n } = entry
  return {
    path: userToLatin1(entry.path),
    type: type < 0 ? TYPE_OTHER : type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeNs,
    sizeBytes: entry.size,
    linkTarget: entry.linkTarget === undefined ? undefined : userToLatin1(entry.linkTarget),
    linkGroup: entry.linkGroup === undefined ? undefined : userToLatin1(entry.linkGroup),
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  }
}

/** What a batch carries of it; both 0 where there is none. */
export function fingerprintOf(fingerprint: string | undefined): [bigint, bigint] {
  if (fingerprint === undefined) return [0n, 0n]
  const digest = Buffer.from(sha256(new TextEncoder().encode(fingerprint)))
  return [digest.readBigInt64LE(0), digest.readBigUInt64LE(8)]
}
