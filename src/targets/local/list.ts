/** Listing of a local target: folder by folder, so that memory stays small however many objects there are. */
import type { Dir } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../util/abort.ts'
import { checkPrefix, isKey } from '../checks.ts'
import type { CallSignal, ObjectInfo } from '../target.ts'
import { ignore } from './errno.ts'
import type { LocalFolder } from './folder.ts'
import { infoOf, requireFolder } from './read.ts'

/** Names read, and files asked for their size, at a time. More does not help: Node's pool has four threads. */
const BATCH = 64

export async function* listFiles(
  folder: LocalFolder,
  prefix: string,
  { signal }: CallSignal,
): AsyncGenerator<ObjectInfo> {
  checkPrefix(prefix)
  throwIfAborted(signal)
  await requireFolder(folder)
  /** Folders yet to be read, as the beginnings of their keys: '' or ending with '/'. */
  const pending = [prefix.slice(0, prefix.lastIndexOf('/') + 1)]
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for await (const files of batchesOf(folder, parent, prefix, pending)) {
      throwIfAborted(signal)
      const infos = await Promise.all(files.map((key) => infoOf(join(folder.root, key), key)))
      // A file that went away since its name was read is not listed.
      yield* infos.filter((info) => info !== undefined)
      throwIfAborted(signal)
    }
  }
}

/** Keys of the files right in one folder that match, in batches; folders below that may hold matches go to `pending`. */
async function* batchesOf(
  folder: LocalFolder,
  parent: string,
  prefix: string,
  pending: string[],
): AsyncGenerator<string[]> {
  const directory = await opendir(join(folder.root, parent), { bufferSize: BATCH }).catch(ignore('ENOENT', 'ENOTDIR'))
  if (directory === undefined) return
  let batch: string[] = []
  for await (const { name, isFolder } of namesOf(directory)) {
    const key = parent + name
    if (!folder.holdsObjects(key)) continue
    if (isFolder && `${key}/`.startsWith(prefix)) pending.push(`${key}/`)
    if (!isFolder && key.startsWith(prefix) && isKey(key)) batch.push(key)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}

/** Each name once: some file systems show a name again that is replaced while the folder is read. */
async function* namesOf(directory: Dir): AsyncGenerator<{ name: string; isFolder: boolean }> {
  const seen = new Set<string>()
  for await (const entry of directory) {
    if ((!entry.isFile() && !entry.isDirectory()) || seen.has(entry.name)) continue
    seen.add(entry.name)
    yield { name: entry.name, isFolder: entry.isDirectory() }
  }
}
