/** Where each source of a restore goes. */
import { opendir, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BackupError } from '../../errors.ts'
import { folder } from '../../sources/filesystem/folder.ts'
import type { Sink } from '../../sources/sink.ts'
import type { PlanRestoreOptions } from '../types/restore.ts'

export interface Destination {
  readonly source: string
  readonly sink: Sink
  /** For people: where an entry of this path goes. */
  describe(path: string): string
  /** @throws BackupError RESTORE_CONFLICT: something is there already */
  requireEmpty(): Promise<void>
  freeBytes(): Promise<number | undefined>
}

export function chooseDestinations(to: PlanRestoreOptions['to'], sources: readonly string[]): Destination[] {
  if ('folder' in to) return sources.map((source) => folderDestination(source, join(resolve(to.folder), source)))
  return sources
    .filter((source) => Object.hasOwn(to.sinks, source))
    .map((source) => sinkDestination(source, to.sinks[source]!))
}

function folderDestination(source: string, path: string): Destination {
  return {
    source,
    sink: folder({ path }),
    describe: (entry) => join(path, entry),
    requireEmpty: () => requireEmptyFolder(path),
    freeBytes: () => freeBytesAt(path),
  }
}

function sinkDestination(source: string, sink: Sink): Destination {
  return {
    source,
    sink,
    describe: (entry) => `${sink.name}:${entry}`,
    requireEmpty: async () => undefined,
    freeBytes: async () => undefined,
  }
}

export async function requireEmptyFolder(path: string): Promise<void> {
  const first = await firstEntry(path)
  if (first === undefined) return
  throw new BackupError('RESTORE_CONFLICT', `${path} is not empty: it holds ${JSON.stringify(first)}.`, {
    origin: 'sink',
    details: { path, found: first },
    hint: 'Restore into a new or empty folder.',
  })
}

async function firstEntry(path: string): Promise<string | undefined> {
  try {
    const folder = await opendir(path)
    const entry = await folder.read()
    await folder.close()
    return entry?.name
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new BackupError(
      code === 'ENOTDIR' ? 'RESTORE_CONFLICT' : 'RESTORE_DENIED',
      `${path} cannot be used as a folder: ${(error as Error).message}`,
      {
        origin: 'sink',
        details: { path, system: code ?? null },
        hint: 'Choose a folder that this process may write to.',
        cause: error,
      },
    )
  }
}

/** Of the file system that the folder is on, or will be. */
async function freeBytesAt(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch {
    return dirname(path) === path ? undefined : freeBytesAt(dirname(path))
  }
}
