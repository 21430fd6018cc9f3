/**
 * The short way for what most files are: small, and still as the scan saw them a moment ago. One open, one read, one stat
 * to see that nothing has changed since the scan, one close, no objects, no waiting. Anything else takes the long way
 * (file-ingest.ts), which also says what went wrong.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { FINGERPRINT_BYTES } from '../../model/entry.ts'
import { nativePath } from '../../sources/filesystem/stat.ts'
import type { ChunkStore } from '../chunks/chunk-store.ts'
import type { ContentWriter } from './content-writer.ts'
import type { ReadJob } from './service.ts'

/** Below the least length of a chunk in any profile of files, and of a hole: so it is one chunk, whatever it holds. */
const SMALL_BYTES = 64 * 1024
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)
/** Times are compared as doubles, whose steps are 0.24 µs today; a file system's clock ticks are a thousand times that. */
const SAME_TIME_MS = 0.001

export class SmallFiles {
  private readonly store: Pick<ChunkStore, 'put'>
  private readonly writer: ContentWriter
  private readonly limitBytes: number

  constructor(store: Pick<ChunkStore, 'put'>, writer: ContentWriter) {
    this.store = store
    this.writer = writer
    this.limitBytes = Math.min(SMALL_BYTES, writer.minBytes + 1)
  }

  /** Id of the file's only chunk, or undefined where it must go the long way. `path` is latin1. */
  read(path: string, sizeBytes: number, job: ReadJob, index: number): Uint8Array | undefined {
    if (sizeBytes === 0 || sizeBytes >= this.limitBytes || job.follow) return undefined
    const ctimeMs = ctimeOf(job.fingerprints, index * FINGERPRINT_BYTES)
    if (ctimeMs === 0) return undefined
    const { window, filled } = this.writer
    if (!this.isHeld(path, window, filled, sizeBytes, ctimeMs)) return undefined
    return this.store.put(window, filled, filled + sizeBytes)
  }

  private isHeld(path: string, window: Buffer, at: number, sizeBytes: number, ctimeMs: number): boolean {
    let fd = -1
    try {
      fd = openSync(nativePath(path), FLAGS)
      const count = readSync(fd, window, at, sizeBytes, null)
      const stat = fstatSync(fd)
      return count === sizeBytes && stat.size === sizeBytes && Math.abs(stat.ctimeMs - ctimeMs) < SAME_TIME_MS
    } catch {
      return false
    } finally {
      if (fd >= 0) closeSync(fd)
    }
  }
}

/** From the fingerprint; 0 where the scan gave none. */
function ctimeOf(fingerprints: Uint8Array, at: number): number {
  const view = new DataView(fingerprints.buffer, fingerprints.byteOffset + at, 8)
  return (view.getInt32(4, true) * 4294967296 + view.getUint32(0, true)) / 1e6
}
