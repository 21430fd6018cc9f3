/** The chosen entries of a snapshot in the order they have in a ZIP. It can be walked again and gives the same. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, placedType, TYPE_DIRECTORY, TYPE_FILE, TYPE_SYMLINK } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { EntrySelector, type SelectorPlain } from '../browse/entry-selector.ts'
import { mainStream, metaAt, streamsAt } from '../browse/listed-entry.ts'
import { EntryCursor } from '../browse/page-cursor.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import type { Host } from '../threads/rpc.ts'
import type { ZipEntryHead } from './headers.ts'
import { isUtf8, nameTooLong } from './zip-names.ts'

export interface ZipSource {
  readonly name: string
  /** Of the names in the ZIP, with a '/' at its end. */
  readonly prefix: string
  /** Null: it has no entries. */
  readonly root: TreeRoot | null
}

/** `head` is null for what a ZIP cannot hold; then only the metadata has it. */
export interface ZipItem {
  readonly source: ZipSource
  readonly meta: EntryMeta
  readonly head: ZipEntryHead | null
  /** Of a symlink. */
  readonly target: Buffer | undefined
  readonly stream: StreamRefs | null
  /** Known when its content has been read. */
  hasHoles: boolean
}

const S_IFREG = 0o100000
const S_IFDIR = 0o040000
const S_IFLNK = 0o120000
const MAX_NAME_BYTES = 0xffff

export async function* zipItems(
  reader: ChunkReader,
  host: Host,
  sources: readonly ZipSource[],
  select: SelectorPlain,
): AsyncGenerator<ZipItem, void, undefined> {
  for (const source of sources) {
    // So that a source without entries is there, too. It is no entry of the snapshot: its path is ''.
    yield itemOf(source, { path: '', type: TYPE_DIRECTORY }, null)
    if (source.root) yield* itemsOf(reader, host, source, source.root, select)
  }
}

async function* itemsOf(
  reader: ChunkReader,
  host: Host,
  source: ZipSource,
  root: TreeRoot,
  select: SelectorPlain,
): AsyncGenerator<ZipItem, void, undefined> {
  const selector = new EntrySelector(source.name, select)
  const cursor = new EntryCursor(reader, root, { from: '' })
  while (await cursor.next()) {
    host.throwIfAborted()
    const meta = metaAt(cursor)
    if (!selector.selects(meta)) continue
    for (const parent of selector.takeParents(meta)) yield itemOf(source, parent, null)
    yield itemOf(source, meta, mainStream(streamsAt(cursor)) ?? null)
  }
}

function itemOf(source: ZipSource, meta: EntryMeta, stream: StreamRefs | null): ZipItem {
  const type = placedType(meta)
  const target = type === TYPE_SYMLINK ? Buffer.from(meta.linkTarget ?? '', 'latin1') : undefined
  const head = headOf(source, meta, type, target?.length ?? meta.sizeBytes ?? 0)
  const content = type === TYPE_FILE && meta.sizeBytes ? contentOf(meta, stream) : null
  return { source, meta, head, target, stream: content, hasHoles: false }
}

/** @throws BackupError OBJECT_CORRUPT */
function contentOf({ path, sizeBytes = 0 }: EntryMeta, stream: StreamRefs | null): StreamRefs {
  const contentBytes = stream ? streamBytes(stream) : 0
  if (stream && contentBytes === sizeBytes) return stream
  const user = latin1ToUser(path)
  throw new BackupError('OBJECT_CORRUPT', `The content of "${user}" is not as long as its entry says.`, {
    origin: 'repository',
    details: { path: user, size: sizeBytes, contentBytes },
  })
}

function headOf(source: ZipSource, meta: EntryMeta, type: number, sizeBound: number): ZipEntryHead | null {
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
