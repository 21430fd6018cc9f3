/** The entries verb: what a snapshot holds, a page at a time. A page costs its own length, whatever lies beside it. */
import type { EntryMeta } from '../../model/entry.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import { type LinkedAbort, linkAbort, throwIfAborted } from '../../util/abort.ts'
import { behindEntry, behindFolder, type ListAnswer, type ListRequest } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { makeListing } from '../listing.ts'
import { withReadingItems } from '../reading/items.ts'
import { findSnapshot } from '../snapshots/load.ts'
import { loadFacts, type SourceFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { EntriesOptions, Entry } from '../types/browse.ts'
import type { EngineContext } from '../types/context.ts'
import type { Listing } from '../types/run.ts'
import { compareNames, type EntryPlace, entryNotFound, parseEntryPath, sortedSources } from './entry-path.ts'
import { viewEntry } from './entry-view.ts'

/** First request small, since most want one page; then larger ones. */
const FIRST_ENTRIES = 128
const MAX_ENTRIES = 1024

/** What a listing is of, worked out once. */
interface Look {
  snapshot: string
  /** In order; one where a path was given. */
  sources: readonly SnapshotSourceRecord[]
  /** latin1, within that one; '' = all of it. */
  folder: string
  recursive: boolean
  search: string | undefined
}

/** Without a path: the sources as directories; with `recursive` or `search`: the entries of all of them. */
export function entries(engine: EngineContext, options: EntriesOptions): Listing<Entry> {
  return makeListing<Entry, string>({
    iterate: (after, note) => iterate(engine, options, after, note),
    placeOf: (entry) => entry.path,
    parsePlace: (value) => (typeof value === 'string' ? value : undefined),
  })
}

async function* iterate(
  engine: EngineContext,
  options: EntriesOptions,
  after: string | undefined,
  note: { total?: number },
): AsyncGenerator<Entry> {
  engine.lifetime.assertOpen()
  const linked = linkAbort(options.signal, engine.lifetime.signal)
  try {
    throwIfAborted(linked.signal)
    yield* listed(engine, options, after, note, linked)
  } finally {
    linked.dispose()
  }
}

async function* listed(
  engine: EngineContext,
  options: EntriesOptions,
  after: string | undefined,
  note: { total?: number },
  { signal }: LinkedAbort,
): AsyncGenerator<Entry> {
  const info = await findSnapshot(engine, options.snapshot, signal)
  const sources = sortedSources(info)
  const { path, search } = options
  const recursive = options.recursive === true || search !== undefined
  if (path === undefined && !recursive) {
    note.total = sources.length
    yield* listSources(engine, sources, after, signal)
    return
  }
  const place = path === undefined ? undefined : parseEntryPath(path)
  const chosen = place ? sources.filter(({ name }) => name === place.source) : sources
  if (place && chosen.length === 0) throw entryNotFound(info.id, path!)
  const look = { snapshot: info.id, sources: chosen, folder: place?.path ?? '', recursive, search }
  if (recursive && search === undefined && look.folder === '') note.total = sum(chosen)
  yield* withReadingItems(engine, signal, async function* (reading) {
    const session = await reading.open('browse')
    yield* walkSources(session, look, after === undefined ? undefined : parseEntryPath(after))
  })
}

/** Only facts that lie outside of the snapshot need the index. */
async function* listSources(
  engine: EngineContext,
  sources: readonly SnapshotSourceRecord[],
  after: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Entry> {
  const wanted = sources.filter(({ name }) => after === undefined || name > after)
  if (wanted.every(({ factsRef }) => !factsRef)) yield* wanted.map((source) => viewSource(source.name, source.facts))
  else {
    yield* withReadingItems(engine, signal, async function* (reading) {
      for (const source of wanted) yield viewSource(source.name, await loadFacts(reading, source))
    })
  }
}

function viewSource(name: string, facts: SourceFacts): Entry {
  return { path: name, type: 'directory', size: 0, facts: { ...facts } }
}

function sum(sources: readonly SnapshotSourceRecord[]): number {
  return sources.reduce((total, { entries }) => total + entries, 0)
}

async function* walkSources(session: Session, look: Look, after: EntryPlace | undefined): AsyncGenerator<Entry> {
  for (const source of look.sources) {
    const order = after ? compareNames(source.name, after.source) : 1
    if (order < 0) continue
    for await (const meta of walkSource(session, look, source, order === 0 ? after!.path : undefined)) {
      yield viewEntry(source.name, meta)
    }
  }
}

async function* walkSource(
  session: Session,
  look: Look,
  source: SnapshotSourceRecord,
  after: string | undefined,
): AsyncGenerator<EntryMeta> {
  const root = treeRoot(source)
  const { folder, recursive } = look
  const begin = { root: root!, source: source.name, folder, recursive, search: look.search?.toLowerCase() }
  let from = after === undefined ? undefined : recursive ? behindEntry(after) : behindFolder(after)
  for (let limit = FIRST_ENTRIES; ; limit = Math.min(limit * 2, MAX_ENTRIES)) {
    const request: ListRequest = { ...begin, from, limit }
    const answer = root ? await session.call<ListAnswer>('list', request) : emptySource(folder)
    if (!answer.found) throw entryNotFound(look.snapshot, `${source.name}/${folder}`)
    yield* answer.entries
    if (answer.next === undefined) return
    from = answer.next
  }
}

function emptySource(folder: string): ListAnswer {
  return { entries: [], found: folder === '' }
}
