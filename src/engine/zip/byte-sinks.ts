/** A file that gets its name when it is whole, a stream, or objects of a target. */
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import type { Target } from '../../targets/target.ts'
import { race, throwIfAborted } from '../../util/abort.ts'
import { release } from '../../util/bytes.ts'
import type { ZipDestination } from '../types/zip.ts'
import { volumeKey } from './volumes.ts'
import { conflict, fileError } from './zip-errors.ts'

export interface ByteSink {
  /** The bytes own their buffer, and belong to the sink from now on. */
  write(bytes: Uint8Array): Promise<void>
  /** Gives the names of what is there now. */
  finish(): Promise<string[]>
  /** Takes everything away again. Never rejects. */
  abort(reason: unknown): Promise<void>
}

export async function openSink(to: ZipDestination, volumeBytes: number, signal: AbortSignal): Promise<ByteSink> {
  if ('path' in to) return FileSink.open(resolve(to.path))
  if ('stream' in to) return new StreamSink(to.stream, signal)
  return TargetSink.open(to.target, to.key, volumeBytes, signal)
}

/** Written out in the background after so many: at the end the disk would be idle before, and then have all of it to do. */
const FLUSH_BYTES = 32 * 1024 * 1024

class FileSink implements ByteSink {
  private readonly path: string
  private readonly temporary: string
  private readonly handle: FileHandle
  private unflushed = 0
  private flushing: Promise<void> | undefined

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path
    this.temporary = temporary
    this.handle = handle
  }

  static async open(path: string): Promise<FileSink> {
    const temporary = join(dirname(path), `.${basename(path)}.holdfast-${hex(randomBytes(8))}`)
    try {
      const there = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      await there?.close()
      if (there) throw conflict(path)
      return new FileSink(path, temporary, await open(temporary, 'wx', 0o600))
    } catch (error) {
      throw fileError(path, error)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.handle.write(bytes, at)).bytesWritten
      this.flushAfter(bytes.length)
      release(bytes)
    } catch (error) {
      throw fileError(this.path, error)
    }
  }

  /** What fails here fails again at the end, where all is synced. */
  private flushAfter(bytes: number): void {
    this.unflushed += bytes
    if (this.unflushed < FLUSH_BYTES || this.flushing) return
    this.unflushed = 0
    this.flushing = this.handle.datasync().catch(() => undefined)
    void this.flushing.then(() => {
      this.flushing = undefined
    })
  }

  async finish(): Promise<string[]> {
    try {
      await this.flushing
      await this.handle.sync()
      await this.handle.close()
      await this.name()
      await syncFolder(dirname(this.path))
      return [this.path]
    } catch (error) {
      throw fileError(this.path, error)
    }
  }

  /** Never over another file. Where a file system has no hard links, a rename is the next best. */
  private async name(): Promise<void> {
    try {
      await link(this.temporary, this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw conflict(this.path)
      return rename(this.temporary, this.path)
    }
    await unlink(this.temporary)
  }

  async abort(): Promise<void> {
    await this.flushing
    await this.handle.close().catch(() => undefined)
    await unlink(this.temporary).catch(() => undefined)
  }
}

/** Not every system can. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
}

class StreamSink implements ByteSink {
  private readonly stream: Writable
  private readonly signal: AbortSignal
  /** Rejects when the reader has gone. */
  private readonly ended: Promise<void>

  constructor(stream: Writable, signal: AbortSignal) {
    this.stream = stream
    this.signal = signal
    this.ended = finished(stream, { readable: false }).catch((error: unknown) => {
      throw streamError(error)
    })
    this.ended.catch(() => undefined)
  }

  async write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((done, failed) => {
      this.stream.write(bytes, (error) => (error ? failed(streamError(error)) : done()))
    })
    written.catch(() => undefined)
    await race(Promise.race([written, this.ended]), this.signal)
  }

  async finish(): Promise<string[]> {
    this.stream.end()
    await race(this.ended, this.signal)
    return []
  }

  async abort(reason: unknown): Promise<void> {
    this.stream.destroy(reason instanceof Error ? reason : new Error('the export has failed'))
  }
}

function streamError(error: unknown): BackupError {
  if (BackupError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new BackupError('RESTORE_UNREACHABLE', `The stream that the ZIP goes to has failed: ${message}`, {
    origin: 'sink',
    cause: error,
  })
}

class TargetSink implements ByteSink {
  private readonly target: Target
  private readonly key: string
  private readonly volumeBytes: number
  private readonly signal: AbortSignal
  private readonly keys: string[] = []
  private volume: Uint8Array<ArrayBuffer>
  private filled = 0

  private constructor(target: Target, key: string, volumeBytes: number, signal: AbortSignal) {
    this.target = target
    this.key = key
    this.volumeBytes = Math.min(volumeBytes, target.traits.maxObjectBytes ?? volumeBytes)
    this.signal = signal
    this.volume = new Uint8Array(this.volumeBytes)
  }

  static async open(target: Target, key: string, volumeBytes: number, signal: AbortSignal): Promise<TargetSink> {
    for (const each of [key, volumeKey(key, 1)]) {
      if (await target.stat(each, { signal })) throw conflict(each)
    }
    return new TargetSink(target, key, volumeBytes, signal)
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.filled === this.volumeBytes) await this.put(volumeKey(this.key, this.keys.length + 1))
      const part = bytes.subarray(at, at + this.volumeBytes - this.filled)
      this.volume.set(part, this.filled)
      this.filled += part.length
      at += part.length
    }
    release(bytes)
  }

  async finish(): Promise<string[]> {
    await this.put(this.keys.length === 0 ? this.key : volumeKey(this.key, this.keys.length + 1))
    return this.keys
  }

  /** What was put belongs to the call: another buffer is taken for the next. */
  private async put(key: string): Promise<void> {
    throwIfAborted(this.signal)
    const { volume, filled, signal } = this
    this.volume = new Uint8Array(this.volumeBytes)
    this.filled = 0
    // Before it is there, so that one whose answer is lost is taken away, too.
    this.keys.push(key)
    if (
      await this.target.put(key, filled === volume.length ? volume : volume.slice(0, filled), {
        ifAbsent: true,
        signal,
      })
    )
      return
    this.keys.pop()
    throw conflict(key)
  }

  async abort(): Promise<void> {
    if (this.keys.length > 0) await this.target.delete(this.keys).catch(() => undefined)
  }
}
