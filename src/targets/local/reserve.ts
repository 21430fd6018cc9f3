/**
 * Room that is set aside, so that a disk that is full can be made less so: to delete what nobody needs, a prune has to put a
 * few small objects first. A file of real bytes in the root; where one of those objects finds no room, the file is cut
 * by as much, and it grows again when something has been deleted.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '../../errors.ts'
import { isGc, isPack, isRun, isSnapshot, isTrash } from '../wrappers/key-classes.ts'
import { errnoOf, ignore } from './errno.ts'

/** In the root; never listed. */
export const RESERVE = '.reserve'
/** A list of 16,000 packs to be deleted, or the announcements of many prunes. */
const RESERVE_BYTES = 1024 * 1024
/** For what a file system needs beside the bytes: a folder's next block, an inode. */
const BESIDE_BYTES = 64 * 1024
/** Repositories whose packs are smaller have nothing that is worth a reserve. */
const LARGE_PACK_BYTES = 1024 * 1024
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

export class Reserve {
  readonly #path: string
  /** True: as large as it should be, as far as this process knows. */
  #isWhole = false
  #growing: Promise<void> = Promise.resolve()

  constructor(root: string) {
    this.#path = join(root, RESERVE)
  }

  /** Runs a put; where there is no room for what helps to free some, once more with a part of the reserve. */
  async lend<T>(key: string, bytes: number, ifAbsent: boolean, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      const errno = errnoOf(error) ?? ''
      if (!FULL.has(errno) || !helpsToFree(key, ifAbsent)) throw error
      if (!(await this.#cut(bytes))) throw nothingLeft(key, errno, error)
      return await run()
    }
  }

  /** After a put: sets the room aside where that was not done, or was used. */
  async afterPut(key: string, bytes: number): Promise<void> {
    if (!this.#isWhole && isPack(key) && bytes >= LARGE_PACK_BYTES) await this.#grow(true)
  }

  /** After a delete: takes back what was lent, before somebody else has the room. */
  async afterDelete(): Promise<void> {
    await this.#grow(false)
  }

  /** False: there is nothing left of it. */
  async #cut(bytes: number): Promise<boolean> {
    this.#isWhole = false
    const file = await open(this.#path, 'r+').catch(ignore('ENOENT', 'EACCES'))
    if (file === undefined) return false
    try {
      const { size } = await file.stat()
      if (size === 0) return false
      await file.truncate(Math.max(0, size - bytes - BESIDE_BYTES))
      return true
    } finally {
      await file.close()
    }
  }

  #grow(create: boolean): Promise<void> {
    this.#growing = this.#growing.then(() => this.#growNow(create))
    return this.#growing
  }

  /** Best effort: without it everything works until the disk is full. */
  async #growNow(create: boolean): Promise<void> {
    if (this.#isWhole) return
    try {
      const found = await stat(this.#path).catch(ignore('ENOENT'))
      if (found === undefined && !create) return
      if (found === undefined || found.size < RESERVE_BYTES) await fill(this.#path, found?.size ?? 0)
      this.#isWhole = true
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
    }
  }
}

/** Somebody has deleted the reserve, or used it up by prunes that were killed again and again. */
function nothingLeft(key: string, errno: string, cause: unknown): BackupError {
  return new BackupError('TARGET_FULL', `there is no room left for ${key}, and none that was set aside (${errno})`, {
    origin: 'target',
    details: { operation: 'put', key, errno },
    hint: 'A prune has to put some small objects before it can delete: free 1 MiB on that disk by other means, then forget and prune.',
    cause,
  })
}

async function fill(path: string, from: number): Promise<void> {
  const file: FileHandle = await open(path, from === 0 ? 'w' : 'r+', 0o600)
  try {
    for (let at = from; at < RESERVE_BYTES; ) {
      const block = incompressible(Math.min(BESIDE_BYTES, RESERVE_BYTES - at))
      const { bytesWritten } = await file.write(block, 0, block.byteLength, at)
      at += bytesWritten
    }
  } finally {
    await file.close()
  }
}

/** Zeros would take no room on file systems that compress. */
function incompressible(bytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  let state = (Math.random() * 2 ** 32) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, bytes)
}

/** Announcements and ends of runs and prunes; copies and tombstones of what is forgotten. A commit is none of them. */
function helpsToFree(key: string, ifAbsent: boolean): boolean {
  return isGc(key) || isRun(key) || isTrash(key) || (isSnapshot(key) && !ifAbsent)
}
