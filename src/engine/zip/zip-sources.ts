/** What is in a ZIP, as sources of a backup. */
import type { Json } from '../../errors.ts'
import type { Source, SourceEntry } from '../../sources/source.ts'
import { METADATA_NAME } from '../../workers/zip/metadata-lines.ts'
import { foreignEntries, foreignNames } from './foreign-entries.ts'
import { openMetadata, type ZipMetadata } from './metadata-reader.ts'
import { OwnEntries } from './own-entries.ts'
import { readIndex, type ZipIndex, type ZipLimits } from './zip-index.ts'
import type { ZipReader } from './zip-reader.ts'

/** Content that is read at once. */
const STREAMS = 4

export interface ZipContents {
  readonly sources: readonly Source[]
  /** Of an export. */
  readonly snapshot?: ZipMetadata['snapshot']
}

/** @throws BackupError ZIP_* and what reading throws */
export async function zipContents(reader: ZipReader, foreignName: string, limits: ZipLimits): Promise<ZipContents> {
  const index = await readIndex(reader, limits)
  const record = index.get(METADATA_NAME)
  const metadata = record && (await openMetadata(reader, record))
  if (metadata) return ownContents(reader, index, metadata, limits)
  const names = foreignNames(index)
  const bytes = names.reduce((sum, { record }) => sum + (record?.bytes ?? 0), 0)
  const entries = (): AsyncIterable<readonly SourceEntry[]> => foreignEntries(reader, names)
  return { sources: [sourceOf(foreignName, 'zip', {}, entries, { items: names.length, bytes })] }
}

function ownContents(reader: ZipReader, index: ZipIndex, metadata: ZipMetadata, limits: ZipLimits): ZipContents {
  const own = new OwnEntries(reader, index, metadata.entries, limits.maxEntries)
  const { sources, snapshot } = metadata
  const last = sources.at(-1)
  const entriesOf = async function* (name: string, prefix: string, isLast: boolean) {
    yield* own.of(name, prefix)
    if (isLast) await own.finish()
  }
  const made = sources.map((source) => {
    const { name, kind, prefix, facts } = source
    return sourceOf(name, kind, facts, () => entriesOf(name, prefix, source === last), { items: null, bytes: null })
  })
  return { sources: made, snapshot }
}

/** The engine reads them one after the other, in their order: so they can share one walk of the metadata. */
function sourceOf(
  name: string,
  kind: string,
  facts: Readonly<Record<string, Json>>,
  entries: () => AsyncIterable<readonly SourceEntry[]>,
  totals: { items: number | null; bytes: number | null },
): Source {
  return {
    apiVersion: 1,
    name,
    kind,
    open: async () => ({
      concurrency: STREAMS,
      describe: async () => facts,
      totals: async () => totals,
      entries,
      [Symbol.asyncDispose]: async () => undefined,
    }),
  }
}
