/** A target in a folder of this machine: an internal or external disk, or a mounted network share. */
import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import { parseOptions } from '../checks.ts'
import type {
  CallSignal,
  GetOptions,
  ObjectInfo,
  PutOptions,
  Target,
  TargetDoctorContext,
  TargetTraits,
} from '../target.ts'
import { examineFolder } from './doctor.ts'
import { errnoOf, systemError } from './errno.ts'
import { LocalFolder } from './folder.ts'
import { listFiles } from './list.ts'
import { putFile } from './put.ts'
import { getFile, statFile } from './read.ts'
import { deleteFiles } from './remove.ts'

export interface LocalTargetOptions {
  /**
   * Waits until each object is on the disk itself, so that it outlives a power cut. Default true. False is for tests and
   * scratch repositories: a crash of the machine may then leave objects that are empty or cut short.
   */
  fsync?: boolean
}

const optionsSchema = z.strictObject({ fsync: z.boolean().optional() })

/**
 * Keeps each object as a file below the folder `path` (relative to the working directory of this moment), for the owner
 * alone: folders 0700, files 0600. Nothing is created before the first put, not even the folder.
 *
 * Errors: TARGET_FULL, TARGET_DENIED, TARGET_NOT_FOUND (the path is not a folder, or its disk went away), UNSUPPORTED (no
 * hard links), TARGET_UNREACHABLE (retryable), besides those of every target. INVALID_OPTIONS if the path is empty or
 * undefined, so that an unset variable never means the working directory.
 */
export function localTarget(path: string | undefined, options: LocalTargetOptions = {}): Target {
  const { fsync } = parseOptions('localTarget', optionsSchema, options)
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new BackupError('INVALID_OPTIONS', 'localTarget: path must be the path of a folder', {
      origin: 'usage',
      hint: 'Check that the variable you take it from is set.',
    })
  }
  return new LocalTarget(new LocalFolder(resolve(path), fsync ?? true))
}

class LocalTarget implements Target {
  readonly apiVersion = 1
  readonly name = 'local'
  readonly traits: TargetTraits = { createOnly: true, maxConcurrency: 8, checksums: 'none' }
  readonly localPath: string
  readonly #folder: LocalFolder

  constructor(folder: LocalFolder) {
    this.#folder = folder
    this.localPath = folder.root
  }

  put(key: string, body: Uint8Array<ArrayBuffer>, options: PutOptions = {}): Promise<boolean> {
    return this.#call('put', key, () => putFile(this.#folder, key, body, options))
  }

  get(key: string, options: GetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call('get', key, () => getFile(this.#folder, key, options))
  }

  stat(key: string, options: CallSignal = {}): Promise<ObjectInfo | undefined> {
    return this.#call('stat', key, () => statFile(this.#folder, key, options))
  }

  async *list(prefix: string, options: CallSignal = {}): AsyncGenerator<ObjectInfo> {
    try {
      yield* listFiles(this.#folder, prefix, options)
    } catch (error) {
      throw systemError(error, 'list', this.#pathOf(error, prefix))
    }
  }

  delete(keys: readonly string[], options: CallSignal = {}): Promise<void> {
    return this.#call('delete', '', () => deleteFiles(this.#folder, keys, options))
  }

  /** Of the file system that the folder is on, or will be on. `freeBytes` is what this user may still write. */
  async space(): Promise<{ freeBytes?: number; usedBytes?: number }> {
    return await this.#call('space', '', async () => {
      const { bsize, blocks, bfree, bavail } = await statfsAbove(this.localPath)
      return { freeBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize }
    })
  }

  async doctor({ signal, prefix = '' }: TargetDoctorContext): Promise<Finding[]> {
    return await this.#call('doctor', prefix, () => examineFolder(resolve(this.localPath, prefix), signal))
  }

  async close(): Promise<void> {}

  async #call<T>(operation: string, key: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw systemError(error, operation, this.#pathOf(error, key))
    }
  }

  /** The path the system complains about, which it knows best: it may be a folder above or a temporary file. */
  #pathOf(error: unknown, key: string): string {
    if (error instanceof Error && 'path' in error && typeof error.path === 'string') return error.path
    return resolve(this.localPath, key)
  }
}

/** Of the folder, or of the nearest one above it that exists. */
async function statfsAbove(path: string): Promise<StatsFs> {
  try {
    return await statfs(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || path === dirname(path)) throw error
    return await statfsAbove(dirname(path))
  }
}
