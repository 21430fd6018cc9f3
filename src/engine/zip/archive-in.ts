/** The bytes of a ZIP, read in blocks of which the last few are kept: its directory lies at its end. */
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import type { Key } from '../../repository/key-slots-key.ts'
import type { Target } from '../../targets/target.ts'
import { race, throwIfAborted } from '../../util/abort.ts'
import type { ZipOrigin } from '../types/zip.ts'
import { openAge } from './age-origin.ts'
import { volumeKey } from './volumes.ts'
import { fileError, readError } from './zip-errors.ts'

export interface ByteOrigin {
  readonly size: number
  readonly blockBytes: number
  read(start: number, end: number): Promise<Uint8Array>
  close(): Promise<void>
}

const FILE_BLOCK = 256 * 1024
/** Each is a request. */
const TARGET_BLOCK = 4 * 1024 * 1024
const KEPT_BLOCKS = 6

export class ArchiveIn {
  private readonly origin: ByteOrigin
  private readonly signal: AbortSignal
  /** By number; the one used last comes last. */
  private readonly blocks = new Map<number, Promise<Uint8Array>>()

  private constructor(origin: ByteOrigin, signal: AbortSignal) {
    this.origin = origin
    this.signal = signal
  }

  /** `key`: of an encrypted one. */
  static async open(from: ZipOrigin, key: Key | undefined, signal: AbortSignal): Promise<ArchiveIn> {
    const origin = await openOrigin(from, signal)
    try {
      return new ArchiveIn(await openAge(origin, key), signal)
    } catch (error) {
      await origin.close()
      throw error
    }
  }

  get size(): number {
    return this.origin.size
  }

  /** Gives fewer only at the end of the ZIP. What it gives may be a view of what others are given. */
  async read(start: number, end: number): Promise<Uint8Array> {
    const { blockBytes } = this.origin
    const first = await this.block(Math.floor(start / blockBytes))
    const from = start % blockBytes
    return first.subarray(from, Math.min(first.length, from + end - start))
  }

  private block(number: number): Promise<Uint8Array> {
    throwIfAborted(this.signal)
    const known = this.blocks.get(number)
    this.blocks.delete(number)
    const { blockBytes, size } = this.origin
    const start = number * blockBytes
    const block = known ?? this.origin.read(start, Math.min(start + blockBytes, size))
    this.blocks.set(number, block)
    // One that has failed is asked for again by the next.
    if (!known) block.catch(() => this.blocks.delete(number))
    for (const oldest of this.blocks.keys()) {
      if (this.blocks.size <= KEPT_BLOCKS) break
      this.blocks.delete(oldest)
    }
    return race(block, this.signal)
  }

  close(): Promise<void> {
    this.blocks.clear()
    return this.origin.close()
  }
}

async function openOrigin(from: ZipOrigin, signal: AbortSignal): Promise<ByteOrigin> {
  if ('target' in from) return openObjects(from.target, from.key, signal)
  if ('stream' in from) return fileOrigin('the stream', await spooled(from.stream, signal))
  const path = resolve(from.path)
  try {
    return await fileOrigin(path, await open(path, 'r'))
  } catch (error) {
    throw readError(path, error)
  }
}

async function fileOrigin(path: string, handle: FileHandle): Promise<ByteOrigin> {
  const found = await handle.stat()
  if (!found.isFile()) {
    await handle.close()
    throw readError(path, Object.assign(new Error('not a file'), { code: 'EISDIR' }))
  }
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const bytes = Buffer.alloc(end - start)
    try {
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
      return bytes.subarray(0, bytesRead)
    } catch (error) {
      throw readError(path, error)
    }
  }
  return { size: found.size, blockBytes: FILE_BLOCK, read, close: () => handle.close() }
}

/** Nameless from the start, where the system allows that. */
async function spooled(stream: Readable, signal: AbortSignal): Promise<FileHandle> {
  const path = join(tmpdir(), `holdfast-zip-${hex(randomBytes(8))}`)
  const handle = await open(path, 'wx+', 0o600)
  try {
    if (process.platform !== 'win32') await unlink(path)
    await copyAll(stream, path, handle, signal)
    return handle
  } catch (error) {
    stream.destroy()
    await handle.close()
    throw readError('the stream', error)
  } finally {
    if (process.platform === 'win32') await unlink(path).catch(() => undefined)
  }
}

async function copyAll(stream: Readable, path: string, handle: FileHandle, signal: AbortSignal): Promise<void> {
  const pieces = stream[Symbol.asyncIterator]()
  for (let next = await race(pieces.next(), signal); !next.done; next = await race(pieces.next(), signal)) {
    const bytes = Buffer.from(next.value as Uint8Array)
    await writeAll(handle, bytes).catch((error: unknown) => {
      // The temporary folder is full, say: no fault of the stream.
      throw fileError(path, error)
    })
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten
}

/** One object, or the parts that an export has put. */
async function openObjects(target: Target, key: string, signal: AbortSignal): Promise<ByteOrigin> {
  const objects: { key: string; start: number; end: number }[] = []
  const whole = await target.stat(key, { signal })
  if (whole) objects.push({ key, start: 0, end: whole.size })
  for (let number = 1, start = 0; !whole; number++) {
    const found = await target.stat(volumeKey(key, number), { signal })
    if (!found) break
    objects.push({ key: volumeKey(key, number), start, end: start + found.size })
    start += found.size
  }
  if (objects.length === 0) throw notThere(key)
  const read = async (from: number, to: number): Promise<Uint8Array> => {
    const parts: Uint8Array[] = []
    for (const { key, start, end } of objects) {
      const range = { start: Math.max(from, start) - start, end: Math.min(to, end) - start }
      if (range.start < range.end) parts.push(await target.get(key, { range, signal }))
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }
  return { size: objects.at(-1)!.end, blockBytes: TARGET_BLOCK, read, close: async () => undefined }
}

function notThere(key: string): BackupError {
  return new BackupError('TARGET_OBJECT_NOT_FOUND', `There is no object ${key}, nor ${volumeKey(key, 1)}.`, {
    origin: 'target',
    details: { key },
  })
}
