/** An entry as browsing and comparing show it. */
import { type EntryMeta, readMeta } from '../../model/entry.ts'
import { readStreams, type StreamRefs, streamBytes } from '../../model/streams.ts'
import { ByteReader } from '../../util/bytes.ts'
import { type EntryCursor, guard } from './page-cursor.ts'

/** Name of the stream that `read` gives and whose length is the entry's size. */
const MAIN_STREAM = ''

export function mainStream(streams: readonly StreamRefs[]): StreamRefs | undefined {
  return streams.find(({ name }) => name === MAIN_STREAM)
}

/** The streams of the entry that the cursor is at. Ids are views of its page. */
export function streamsAt(cursor: EntryCursor): StreamRefs[] {
  return guard('page', () => readStreams(new ByteReader(cursor.page, cursor.streamsStart, cursor.recordEnd)))
}

/** The meta of the entry that the cursor is at; its size is that of its content where it does not say one itself. */
export function metaAt(cursor: EntryCursor): EntryMeta {
  const meta = guard('page', () => readMeta(new ByteReader(cursor.page, cursor.metaStart, cursor.metaEnd)))
  if (meta.sizeBytes === undefined) {
    const stream = mainStream(streamsAt(cursor))
    if (stream) meta.sizeBytes = streamBytes(stream)
  }
  return meta
}
