/** Keeps a cache within its size: what was not used for the longest time goes first. */
import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { mapBounded } from '../../util/concurrency.ts'

/** Whoever wrote it has died, or is very slow; then its rename fails, and the item is not kept. */
const TEMPORARY_MS = 60 * 60_000
const LOOKS = 16

interface Found {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

/**
 * If there is more than `maxBytes`, deletes until `leftBytes` are left. Gives what is there afterwards. Never rejects:
 * others may be deleting the same files.
 */
export async function trimFolder(folder: string, maxBytes: number, leftBytes: number): Promise<number> {
  const files = (await filesIn(folder)).sort((a, b) => a.usedMs - b.usedMs)
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total <= maxBytes) return total
  for (const { path, bytes } of files) {
    if (total <= leftBytes) break
    await unlink(path).catch(() => undefined)
    total -= bytes
  }
  return total
}

async function filesIn(folder: string): Promise<Found[]> {
  const paths: string[] = []
  for (const area of await namesIn(folder)) {
    for (const name of await namesIn(join(folder, area))) paths.push(join(folder, area, name))
  }
  const files: Found[] = []
  for await (const found of mapBounded(paths, LOOKS, look)) if (found) files.push(found)
  return files
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

async function look(path: string): Promise<Found | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !found.isFile()) return undefined
  const isLeftOver = path.endsWith('.tmp') && Date.now() - found.mtimeMs > TEMPORARY_MS
  if (!isLeftOver) return { path, bytes: found.size, usedMs: found.mtimeMs }
  await unlink(path).catch(() => undefined)
  return undefined
}
