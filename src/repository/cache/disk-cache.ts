/**
 * A cache in a folder of this machine: one file for each item, by atomic rename, without locks. Any number of processes may
 * share it, and anybody may delete any of it at any time.
 */
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import type { Warning } from '../../events.ts'
import { segmentOfId } from '../../model/ids.ts'
import { parseKey } from '../keys-layout.ts'
import { checkPrivate, errnoOf } from './cache-folder.ts'
import { trimFolder } from './cache-trim.ts'
import type { CachedItem, ObjectCache } from './object-cache.ts'

export interface DiskCacheOptions {
  /** Of one repository. Made if it is not there; its parent folders too. */
  directory: string
  /** What all files may have together, about. */
  maxBytes: number
  /** Told once, when the cache cannot be used any more. */
  onWarning(warning: Warning): void
}

/** A file's time says when it was last used, to within this. */
const TOUCH_MS = 10 * 60_000
/** What one call writes: a longer one would hold up the host's own thread on a busy machine. */
const WRITE_BYTES = 128 * 1024
/** Of `maxBytes`: one file must not drive out all others. */
const MAX_SHARE = 4
/** After eviction this much of `maxBytes` is left. */
const LEFT = 0.8

export class DiskCache implements ObjectCache {
  readonly #options: DiskCacheOptions
  #ready: Promise<boolean> | undefined
  #isOn = true
  /** Bytes at the last look, and what was added since. Others add as well: the next look finds it. */
  #knownBytes: number | undefined
  #addedBytes = 0
  #trimming: Promise<void> = Promise.resolve()
  #isTrimming = false

  constructor(options: DiskCacheOptions) {
    this.#options = options
  }

  get isOn(): boolean {
    return this.#isOn
  }

  async get(item: CachedItem): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = await this.#pathTo(fileOf(item))
    if (path === undefined) return undefined
    const found = await readExactly(path, item.bytes).catch(() => undefined)
    if (found === 'another length') await this.drop(item)
    return found === 'another length' ? undefined : found
  }

  put(item: CachedItem, body: Uint8Array): Promise<void> {
    return this.#keep(fileOf(item), body)
  }

  async getBundle(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = await this.#pathTo(bundleOf(name))
    return path === undefined ? undefined : await readWhole(path).catch(() => undefined)
  }

  putBundle(name: string, body: Uint8Array): Promise<void> {
    return this.#keep(bundleOf(name), body)
  }

  async #keep(name: string | undefined, body: Uint8Array): Promise<void> {
    if (body.byteLength > this.#options.maxBytes / MAX_SHARE) return
    try {
      if (await this.#store(name, body)) this.#grow(body.byteLength)
    } catch (error) {
      this.#off(error)
    }
  }

  async drop(item: CachedItem): Promise<void> {
    const path = await this.#pathTo(fileOf(item))
    if (path !== undefined) await unlink(path).catch(() => undefined)
  }

  async settled(): Promise<void> {
    await this.#trimming
  }

  /** The folder may have been deleted since it was made: then it is made again, once. */
  async #store(name: string | undefined, body: Uint8Array): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const path = await this.#pathTo(name)
      if (path === undefined) return false
      try {
        await mkdir(dirname(path), { mode: 0o700 }).catch(unless('EEXIST'))
        await writeAtomically(path, body)
        return true
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || attempt > 1) throw error
        this.#ready = undefined
      }
    }
  }

  /** Undefined where there is no cache, or none for such an item. */
  async #pathTo(name: string | undefined): Promise<string | undefined> {
    if (name === undefined || !this.#isOn) return undefined
    this.#ready ??= this.#prepare()
    return (await this.#ready) ? join(this.#options.directory, name) : undefined
  }

  async #prepare(): Promise<boolean> {
    const { directory } = this.#options
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await checkPrivate(directory)
      return true
    } catch (error) {
      this.#off(error)
      return false
    }
  }

  /** For good: a folder that could not be written to would be tried thousands of times. */
  #off(error: unknown): void {
    if (!this.#isOn) return
    this.#isOn = false
    const { directory, onWarning } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    onWarning({
      code: 'CACHE_UNAVAILABLE',
      message: `the local cache is not used any more, and the target is asked for everything: ${reason}`,
      details: { directory, ...(errnoOf(error) !== undefined && { errno: errnoOf(error)! }) },
    })
  }

  #grow(bytes: number): void {
    this.#addedBytes += bytes
    const isKnown = this.#knownBytes !== undefined
    if (isKnown && this.#knownBytes! + this.#addedBytes <= this.#options.maxBytes) return
    if (this.#isTrimming) return
    this.#isTrimming = true
    this.#trimming = this.#trim().finally(() => {
      this.#isTrimming = false
    })
  }

  async #trim(): Promise<void> {
    const { directory, maxBytes } = this.#options
    this.#addedBytes = 0
    this.#knownBytes = await trimFolder(directory, maxBytes, Math.floor(maxBytes * LEFT))
  }
}

/** Made of keys that a repository has, and of nothing else: a key is what the target says. */
function fileOf({ key, start, bytes }: CachedItem): string | undefined {
  const parsed = parseKey(key)
  if (parsed?.area === 'packs') return start === undefined ? undefined : `packs/${parsed.name}.${start}.${bytes}`
  if (start !== undefined) return undefined
  if (parsed?.area === 'index') return `index/${parsed.name}`
  if (parsed?.area === 'notes') return `notes/${segmentOfId(parsed.id)}+${parsed.n}`
  if (parsed?.area === 'snapshots' || parsed?.area === 'reports') return `${parsed.area}/${segmentOfId(parsed.id)}`
  return undefined
}

const BUNDLES: ReadonlySet<string> = new Set(['snapshots', 'notes', 'reports'])

function bundleOf(name: string): string | undefined {
  return BUNDLES.has(name) ? `bundles/${name}` : undefined
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { size } = await stat(path)
  const body = await readExactly(path, size)
  return body === 'another length' ? undefined : body
}

async function readExactly(path: string, bytes: number): Promise<Uint8Array<ArrayBuffer> | 'another length'> {
  const file = await open(path, 'r')
  try {
    const found = await file.stat()
    if (!found.isFile() || found.size !== bytes) return 'another length'
    const body = new Uint8Array(bytes)
    if (!(await fill(file, body))) return 'another length'
    if (Date.now() - found.mtimeMs > TOUCH_MS) await touch(file)
    return body
  } finally {
    await file.close()
  }
}

async function fill(file: FileHandle, body: Uint8Array): Promise<boolean> {
  for (let at = 0; at < body.byteLength; ) {
    const { bytesRead } = await file.read(body, at, body.byteLength - at, at)
    if (bytesRead === 0) return false
    at += bytesRead
  }
  return true
}

async function touch(file: FileHandle): Promise<void> {
  const now = new Date()
  await file.utimes(now, now).catch(() => undefined)
}

async function writeAtomically(path: string, body: Uint8Array): Promise<void> {
  const temporary = `${path}.${hex(randomBytes(8))}.tmp`
  try {
    await writeWhole(temporary, body)
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

/** Not synced: what a power cut leaves of it is not what it should be, which whoever reads it finds out. */
async function writeWhole(path: string, body: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for (let at = 0; at < body.byteLength; ) {
      const { bytesWritten } = await file.write(body, at, Math.min(WRITE_BYTES, body.byteLength - at))
      at += bytesWritten
    }
  } finally {
    await file.close()
  }
}

function unless(errno: string): (error: unknown) => void {
  return (error) => {
    if (errnoOf(error) !== errno) throw error
  }
}
