/** A source of another repository's snapshot, as a source of this one. */
import { ENTRY_TYPES, TYPE_OTHER, typeName } from '../../model/entry.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import type { EntryContent, Source, SourceEntry, SourceSession } from '../../sources/source.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ContentsAnswer, ContentsRequest, ListedContent } from '../../workers/browse/listed-contents.ts'
import { PieceQueue } from '../browse/piece-queue.ts'
import { contentOf } from '../browse/read.ts'
import type { Reading } from '../reading/reading.ts'
import { ContentLanes } from '../restore/content-lanes.ts'
import { loadFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'

const BATCH_ENTRIES = 500
/** Each stream costs some MiB. */
const MAX_STREAMS = 8

/**
 * Its fingerprints are what the origin's chunk ids say of the content: so an entry whose content is that of the last copy
 * is taken over without being read.
 */
export function snapshotSource(reading: Reading, record: SnapshotSourceRecord): Source {
  return {
    apiVersion: 1,
    name: record.name,
    kind: record.kind,
    open: async () => openSession(reading, record),
  }
}

function openSession(reading: Reading, record: SnapshotSourceRecord): SourceSession {
  const lanes = new ContentLanes(reading)
  return {
    concurrency: Math.min(reading.lease.threads.length + 1, MAX_STREAMS),
    describe: () => loadFacts(reading, record),
    totals: async () => ({ items: record.entries, bytes: record.bytes }),
    entries: () => entriesOf(reading, lanes, record),
    [Symbol.asyncDispose]: () => lanes.close(),
  }
}

async function* entriesOf(
  reading: Reading,
  lanes: ContentLanes,
  record: SnapshotSourceRecord,
): AsyncGenerator<readonly SourceEntry[]> {
  const root = treeRoot(record)
  if (!root) return
  const session = await reading.open('browse')
  try {
    let from: string | undefined = ''
    while (from !== undefined) {
      throwIfAborted(reading.signal)
      const request: ContentsRequest = { root, from, limit: BATCH_ENTRIES }
      const { entries, next }: ContentsAnswer = await session.call('contents', request)
      yield entries.map((listed) => sourceEntry(reading, lanes, listed))
      from = next
    }
  } finally {
    await reading.end(session, 'nobody wants the rest')
  }
}

function sourceEntry(reading: Reading, lanes: ContentLanes, listed: ListedContent): SourceEntry {
  const { meta, key } = listed
  const { mode, uid, gid, mtimeNs, sizeBytes, linkTarget, linkGroup, attributes } = meta
  const { 'holdfast.type': _, ...facts } = attributes ?? {}
  return {
    path: latin1ToUser(meta.path),
    type: meta.type === TYPE_OTHER ? typeName(meta) : ENTRY_TYPES[meta.type]!,
    ...(sizeBytes !== undefined && { size: sizeBytes }),
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mtimeNs !== undefined && { mtimeNs }),
    ...(linkTarget !== undefined && { linkTarget: latin1ToUser(linkTarget) }),
    ...(linkGroup !== undefined && { linkGroup: latin1ToUser(linkGroup) }),
    ...(Object.keys(facts).length > 0 && { facts }),
    fingerprint: `${reading.engine.repository.id}:${key}`,
    ...contentPart(lanes, listed),
  }
}

function contentPart(lanes: ContentLanes, { meta, stream, chunks }: ListedContent): { content?: EntryContent } {
  // Said by the size alone: zero bytes need no stream, and a size without one is damage.
  if (!stream && !meta.sizeBytes) return {}
  const checked = ownIds(contentOf(latin1ToUser(meta.path), { meta, stream }))
  const holes = hasHoles(checked)
  const open = (): AsyncIterable<Uint8Array> => contentBytes(lanes, checked)
  return { content: { from: 'stream', chunks, open, ...(holes !== undefined && { holes }) } }
}

/** A dense file stays dense. Not known of the largest without reading their lists: in these, long zeros become holes. */
function hasHoles({ level, refs }: StreamRefs): boolean | undefined {
  return level === 0 ? refs.some(({ id }) => !id) : undefined
}

/** Ids that are views of a page would take all of it with them to a worker. */
function ownIds(stream: StreamRefs): StreamRefs {
  return { ...stream, refs: stream.refs.map((ref) => (ref.id ? { ...ref, id: new Uint8Array(ref.id) } : ref)) }
}

async function* contentBytes(lanes: ContentLanes, stream: StreamRefs): AsyncGenerator<Uint8Array> {
  const lane = await lanes.take()
  let isWhole = false
  try {
    const pieces = new PieceQueue(lane.session, [{ stream, start: 0, end: streamBytes(stream) }])
    for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) yield piece
    isWhole = true
  } finally {
    await (isWhole ? lanes.give(lane) : lanes.end(lane))
  }
}
