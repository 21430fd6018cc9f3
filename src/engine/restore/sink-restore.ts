/** One source through a custom sink: entry by entry, in path order, content as a stream that the sink pulls. */

import { type EntryMeta, TYPE_DIRECTORY, typeName } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { SinkEntry, SinkSession } from '../../sources/sink.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { FoundEntry, ListAnswer } from '../../workers/browse.ts'
import { EntrySelector, type SelectorPlain } from '../../workers/entry-selector.ts'
import type { Session } from '../../workers/rpc.ts'
import { fromPlugin } from '../plugin-errors.ts'
import type { Reading } from '../reading.ts'

export interface SinkRestore {
  source: string
  root: TreeRoot | null
  select: SelectorPlain
  done(entries: number, bytes: number, path: string): void
}

const PAGE_ENTRIES = 500

export async function restoreThroughSink(reading: Reading, sink: SinkSession, options: SinkRestore): Promise<void> {
  const { root, source } = options
  if (!root) return
  const session = await reading.open('browse')
  const selector = new EntrySelector(source, options.select)
  for await (const meta of allEntries(session, root, source)) {
    if (!selector.selects(meta)) continue
    for (const parent of selector.takeParents(meta)) await write(reading, session, root, sink, parent, options)
    await write(reading, session, root, sink, meta, options)
  }
}

async function* allEntries(session: Session, root: TreeRoot, source: string): AsyncGenerator<EntryMeta> {
  let from: string | undefined
  do {
    const request = {
      root,
      source,
      folder: '',
      recursive: true,
      limit: PAGE_ENTRIES,
      ...(from !== undefined && { from }),
    }
    const { entries, next }: ListAnswer = await session.call<ListAnswer>('list', request)
    yield* entries
    from = next
  } while (from !== undefined)
}

async function write(
  reading: Reading,
  session: Session,
  root: TreeRoot,
  sink: SinkSession,
  meta: EntryMeta,
  options: SinkRestore,
): Promise<void> {
  throwIfAborted(reading.signal)
  const content = contentOf(session, root, meta)
  await fromPlugin('sink', 'RESTORE_DENIED', options.source, () => sink.write(sinkEntry(meta), content))
  options.done(1, meta.sizeBytes ?? 0, latin1ToUser(meta.path))
}

async function* contentOf(session: Session, root: TreeRoot, meta: EntryMeta): AsyncGenerator<Uint8Array> {
  if (meta.type === TYPE_DIRECTORY) return
  const found = await session.call<FoundEntry | null>('find', { root, path: meta.path })
  if (!found?.stream) return
  const end = found.stream.refs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  await session.call('content', { stream: found.stream, start: 0, end })
  for (;;) {
    const piece = await session.call<Uint8Array | null>('piece', null)
    if (piece === null) return
    yield piece
  }
}

function sinkEntry(meta: EntryMeta): SinkEntry {
  const { mode, uid, gid, mtimeNs, linkTarget, linkGroup, attributes } = meta
  return {
    path: latin1ToUser(meta.path),
    type: typeName(meta),
    size: meta.sizeBytes ?? 0,
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mtimeNs !== undefined && { mtimeNs }),
    ...(linkTarget !== undefined && { linkTarget: latin1ToUser(linkTarget) }),
    ...(linkGroup !== undefined && { linkGroup }),
    facts: { ...attributes },
  }
}
