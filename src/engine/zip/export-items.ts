/** The chosen entries of a snapshot in the order they have in a ZIP. It can be walked again and gives the same. */
import type { Json } from '../../errors.ts'
import { type EntryMeta, placedType, TYPE_DIRECTORY, TYPE_FILE, TYPE_SYMLINK } from '../../model/entry.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { StreamRefs } from '../../model/streams.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { EntrySelector, type SelectorPlain } from '../../workers/entry-selector.ts'
import type { ContentsAnswer, ContentsRequest } from '../../workers/listed-contents.ts'
import { contentOf } from '../browse/read.ts'
import type { Reading } from '../reading.ts'
import { treeRoot } from '../snapshot-view.ts'
import type { ZipEntryHead } from './headers.ts'
import { isUtf8, nameTooLong } from './zip-names.ts'

export interface ExportSource {
  readonly name: string
  readonly kind: string
  /** Of the names in the ZIP, with a '/' at its end. */
  readonly prefix: string
  readonly facts: Readonly<Record<string, Json>>
  readonly record: SnapshotSourceRecord
}

/** `head` is null for what a ZIP cannot hold; then only the metadata has it. */
export interface ExportItem {
  readonly source: ExportSource
  readonly meta: EntryMeta
  readonly head: ZipEntryHead | null
  /** Of a symlink. */
  readonly target: Buffer | undefined
  readonly stream: StreamRefs | null
}

const BATCH_ENTRIES = 500
const S_IFREG = 0o100000
const S_IFDIR = 0o040000
const S_IFLNK = 0o120000
const MAX_NAME_BYTES = 0xffff

/** Databases have a folder of their own: their files are scripts and rows, and `restore.sql` loads them. */
export function prefixOf({ name, kind }: Pick<SnapshotSourceRecord, 'name' | 'kind'>): string {
  return `${kind === 'postgres' ? 'database' : 'files'}/${name}/`
}

export async function* exportItems(
  reading: Reading,
  sources: readonly ExportSource[],
  select: SelectorPlain,
): AsyncGenerator<ExportItem> {
  for (const source of sources) {
    yield folderItem(source)
    yield* itemsOf(reading, source, select)
  }
}

/** So that a source without entries is there, too. It is no entry of the snapshot: its path is ''. */
function folderItem(source: ExportSource): ExportItem {
  return itemOf(source, { path: '', type: TYPE_DIRECTORY }, null)
}

async function* itemsOf(reading: Reading, source: ExportSource, select: SelectorPlain): AsyncGenerator<ExportItem> {
  const root = treeRoot(source.record)
  if (!root) return
  const selector = new EntrySelector(source.name, select)
  const session = await reading.open('browse')
  try {
    let from: string | undefined = ''
    while (from !== undefined) {
      throwIfAborted(reading.signal)
      const request: ContentsRequest = { root, from, limit: BATCH_ENTRIES }
      const { entries, next }: ContentsAnswer = await session.call('contents', request)
      for (const { meta, stream } of entries) {
        if (!selector.selects(meta)) continue
        for (const parent of selector.takeParents(meta)) yield itemOf(source, parent, null)
        yield itemOf(source, meta, stream)
      }
      from = next
    }
  } finally {
    await reading.end(session, 'nobody wants the rest')
  }
}

function itemOf(source: ExportSource, meta: EntryMeta, stream: StreamRefs | null): ExportItem {
  const type = placedType(meta)
  const target = type === TYPE_SYMLINK ? Buffer.from(meta.linkTarget ?? '', 'latin1') : undefined
  const head = headOf(source, meta, type, target?.length ?? meta.sizeBytes ?? 0)
  const content = type === TYPE_FILE && meta.sizeBytes ? contentOf(latin1ToUser(meta.path), { meta, stream }) : null
  return { source, meta, head, target, stream: content }
}

function headOf(source: ExportSource, meta: EntryMeta, type: number, sizeBound: number): ZipEntryHead | null {
  if (type !== TYPE_FILE && type !== TYPE_DIRECTORY && type !== TYPE_SYMLINK) return null
  const isFolder = type === TYPE_DIRECTORY
  const path = meta.path === '' ? source.prefix : `${source.prefix}${meta.path}${isFolder ? '/' : ''}`
  const name = Buffer.from(path, 'latin1')
  if (name.length > MAX_NAME_BYTES) throw nameTooLong(path)
  return {
    name,
    isUtf8: isUtf8(name),
    mode: modeOf(meta, type),
    isFolder,
    mtimeSeconds: meta.mtimeNs === undefined ? 0 : Number(meta.mtimeNs / 1_000_000_000n),
    sizeBound: isFolder ? 0 : sizeBound,
  }
}

function modeOf({ mode }: EntryMeta, type: number): number {
  if (type === TYPE_DIRECTORY) return S_IFDIR | (mode ?? 0o755)
  return type === TYPE_SYMLINK ? S_IFLNK | (mode ?? 0o777) : S_IFREG | (mode ?? 0o644)
}
