/** Removal of local objects. Folders stay: somebody may be about to put into them. */
import { lstat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { CallSignal } from '../target.ts'
import { errnoOf, ignore } from './errno.ts'
import type { LocalFolder } from './folder.ts'

const CONCURRENCY = 8

export async function deleteFiles(folder: LocalFolder, keys: readonly string[], { signal }: CallSignal): Promise<void> {
  // All keys are checked before the first goes.
  const paths = keys.map((key) => folder.pathOf(key))
  throwIfAborted(signal)
  const touched = new Set<string>()
  for await (const parent of mapBounded(paths, CONCURRENCY, removeFile, signal)) if (parent) touched.add(parent)
  // What was forgotten must not come back with the power.
  for (const parent of touched) await folder.sync(parent).catch(ignore('ENOENT'))
  await folder.reserve.afterDelete()
}

/** The folder it was in; undefined where there was nothing: no such name, or a folder, which is no object. */
async function removeFile(path: string): Promise<string | undefined> {
  try {
    await unlink(path)
    return dirname(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    // Linux says EISDIR for a folder, others EPERM.
    if ((await lstat(path).catch(ignore('ENOENT')))?.isDirectory() ?? true) return undefined
    throw error
  }
}
