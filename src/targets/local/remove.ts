/** Removal of local objects. Folders stay: somebody may be about to put into them. */
import { lstat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { throwIfAborted } from '../../util/abort.ts'
import type { CallSignal } from '../target.ts'
import { errnoOf, ignore } from './errno.ts'
import type { LocalFolder } from './folder.ts'

const CONCURRENCY = 8

export async function deleteFiles(folder: LocalFolder, keys: readonly string[], { signal }: CallSignal): Promise<void> {
  // All keys are checked before the first goes.
  const paths = keys.map((key) => folder.pathOf(key))
  throwIfAborted(signal)
  const touched = new Set<string>()
  await eachOf(paths, async (path) => {
    throwIfAborted(signal)
    if (await removeFile(path)) touched.add(dirname(path))
  })
  // What was forgotten must not come back with the power.
  await eachOf([...touched], (parent) => folder.sync(parent).catch(ignore('ENOENT')))
}

/** Runs a few at a time. After a failure none is begun, and all that were begun have ended before it is thrown. */
async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      try {
        await run(items[next++]!)
      } catch (error) {
        next = items.length
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(CONCURRENCY, items.length) }, lane))
  for (const result of lanes) if (result.status === 'rejected') throw result.reason
}

/** False where there was nothing: no such name, or a folder, which is no object. */
async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return false
    // Linux says EISDIR for a folder, others EPERM.
    if ((await lstat(path).catch(ignore('ENOENT')))?.isDirectory() ?? true) return false
    throw error
  }
}
