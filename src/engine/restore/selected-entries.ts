/** The chosen entries of one source in the order of the paths they go to, each directory before what it holds. */
import { type EntryMeta, TYPE_DIRECTORY, TYPE_FILE, TYPE_SYMLINK } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { comparePaths } from '../../util/paths.ts'
import { EntrySelector, type SelectorPlain } from '../../workers/browse/entry-selector.ts'
import { behindFolder, type ListAnswer, type ListRequest } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { type Renames, renameConflict } from './renames.ts'

/** `path`: where it goes, latin1; `meta.path` is where it was. */
export interface ChosenEntry {
  path: string
  meta: EntryMeta
}

export interface Choice {
  root: TreeRoot
  source: string
  select: SelectorPlain
  renames: Renames
}

const PAGE_ENTRIES = 500

export function selectedEntries(session: Session, choice: Choice): AsyncGenerator<ChosenEntry> {
  if (choice.renames.isEmpty) return chosen(session, choice, '', [])
  return withoutConflicts(choice.source, merged(session, choice))
}

/** What moves comes from its old place, and the rest from its own: each in order, so merging them is enough. */
async function* merged(session: Session, choice: Choice): AsyncGenerator<ChosenEntry> {
  const moved = choice.renames.from
  const runs: Run[] = []
  for (const top of ['', ...moved]) {
    const holes = moved.filter((path) => path !== top && (top === '' || path.startsWith(`${top}/`)))
    const entries = chosen(session, choice, top, holes)
    const first = await entries.next()
    if (!first.done) insert(runs, { head: first.value, entries })
  }
  for (let run = runs.shift(); run; run = runs.shift()) {
    yield run.head
    const { value, done } = await run.entries.next()
    if (!done) insert(runs, { ...run, head: value })
  }
}

interface Run {
  head: ChosenEntry
  entries: AsyncGenerator<ChosenEntry>
}

/** The runs are kept in the order of their heads; one that goes on mostly stays the first. */
function insert(runs: Run[], run: Run): void {
  const at = runs.findIndex(({ head }) => comparePaths(run.head.path, head.path) <= 0)
  runs.splice(at < 0 ? runs.length : at, 0, run)
}

async function* withoutConflicts(source: string, all: AsyncGenerator<ChosenEntry>): AsyncGenerator<ChosenEntry> {
  let before: string | undefined
  let leaf = ''
  for await (const entry of all) {
    const { path, meta } = entry
    if (path === before) throw renameConflict(source, path, 'two entries would go to one path')
    if (leaf !== '' && path.startsWith(leaf))
      throw renameConflict(source, path, 'it would lie below what holds nothing')
    if (!mayHold(meta)) leaf = `${path}/`
    before = path
    yield entry
  }
}

/** Of types that only a source knows it cannot be said. */
function mayHold({ type }: EntryMeta): boolean {
  return type === TYPE_DIRECTORY || (type !== TYPE_FILE && type > TYPE_SYMLINK)
}

/** What is chosen at and below `top`, but not at and below the holes. */
async function* chosen(
  session: Session,
  { root, source, select, renames }: Choice,
  top: string,
  holes: readonly string[],
): AsyncGenerator<ChosenEntry> {
  const selector = new EntrySelector(source, select)
  for await (const meta of below(session, root, source, top, holes)) {
    if (!selector.selects(meta)) continue
    for (const each of [...selector.takeParents(meta), meta]) yield { path: renames.apply(each.path), meta: each }
  }
}

async function* below(
  session: Session,
  root: TreeRoot,
  source: string,
  top: string,
  holes: readonly string[],
): AsyncGenerator<EntryMeta> {
  let from: string | undefined = top === '' ? undefined : top
  do {
    const request: ListRequest = { root, source, folder: '', recursive: true, limit: PAGE_ENTRIES, from }
    const { entries, next }: ListAnswer = await session.call<ListAnswer>('list', request)
    from = next
    for (const meta of entries) {
      if (top !== '' && !isAt(meta.path, top)) return
      const hole = holes.find((path) => isAt(meta.path, path))
      if (hole === undefined) {
        yield meta
        continue
      }
      from = behindFolder(hole)
      break
    }
  } while (from !== undefined)
}

function isAt(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`)
}
