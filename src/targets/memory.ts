/** A target in memory: for tests, and for what need not outlive the process. */
import { z } from 'zod'
import { BackupError } from '../errors.ts'
import { throwIfAborted } from '../util/abort.ts'
import { checkKey, checkPrefix, notFound, parseOptions, rangeWithin } from './checks.ts'
import type { CallSignal, GetOptions, ObjectInfo, PutOptions, Target, TargetTraits } from './target.ts'

export interface MemoryTargetOptions {
  /** The most bytes all objects may have together; a put beyond it is TARGET_FULL. Default: no limit. */
  maxBytes?: number
}

const optionsSchema = z.strictObject({ maxBytes: z.number().nonnegative().optional() })

/**
 * Keeps objects in memory. `objects` is the live content: a test that changes its bytes damages the object. Bodies are
 * copied in and out. Errors: TARGET_FULL over `maxBytes`, besides those of every target.
 */
export function memoryTarget(
  options: MemoryTargetOptions = {},
): Target & { readonly objects: ReadonlyMap<string, Uint8Array> } {
  const { maxBytes } = parseOptions('memoryTarget', optionsSchema, options)
  return new MemoryTarget(maxBytes ?? Number.POSITIVE_INFINITY)
}

class MemoryTarget implements Target {
  readonly apiVersion = 1
  readonly name = 'memory'
  readonly traits: TargetTraits = { createOnly: true, maxConcurrency: 64, checksums: 'none' }
  readonly objects = new Map<string, Uint8Array>()
  readonly #modifiedAt = new Map<string, Date>()
  readonly #maxBytes: number
  #usedBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  async put(key: string, body: Uint8Array<ArrayBuffer>, { ifAbsent, signal }: PutOptions = {}): Promise<boolean> {
    checkKey(key)
    throwIfAborted(signal)
    if (ifAbsent && this.objects.has(key)) return false
    const usedBytes = this.#usedBytes - this.#sizeOf(key) + body.byteLength
    if (usedBytes > this.#maxBytes) throw this.#full(key, body.byteLength)
    this.#usedBytes = usedBytes
    this.objects.set(key, new Uint8Array(body))
    this.#modifiedAt.set(key, new Date())
    return true
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkKey(key)
    throwIfAborted(signal)
    const bytes = this.objects.get(key)
    if (bytes === undefined) throw notFound(key)
    const { start, end } = rangeWithin(key, bytes.byteLength, range)
    return new Uint8Array(bytes.subarray(start, end))
  }

  async stat(key: string, { signal }: CallSignal = {}): Promise<ObjectInfo | undefined> {
    checkKey(key)
    throwIfAborted(signal)
    return this.#info(key)
  }

  async *list(prefix: string, { signal }: CallSignal = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix)
    throwIfAborted(signal)
    // A copy of the keys: an object that is deleted and put again meanwhile would otherwise be met twice.
    for (const key of [...this.objects.keys()].filter((each) => each.startsWith(prefix))) {
      throwIfAborted(signal)
      const info = this.#info(key)
      if (info !== undefined) yield info
    }
  }

  async delete(keys: readonly string[], { signal }: CallSignal = {}): Promise<void> {
    keys.forEach(checkKey)
    throwIfAborted(signal)
    for (const key of keys) {
      this.#usedBytes -= this.#sizeOf(key)
      this.objects.delete(key)
      this.#modifiedAt.delete(key)
    }
  }

  async space(): Promise<{ freeBytes?: number; usedBytes?: number }> {
    const freeBytes = this.#maxBytes - this.#usedBytes
    return { usedBytes: this.#usedBytes, ...(Number.isFinite(freeBytes) && { freeBytes }) }
  }

  async close(): Promise<void> {}

  #sizeOf(key: string): number {
    return this.objects.get(key)?.byteLength ?? 0
  }

  #info(key: string): ObjectInfo | undefined {
    const bytes = this.objects.get(key)
    if (bytes === undefined) return undefined
    return { key, size: bytes.byteLength, modifiedAt: this.#modifiedAt.get(key) ?? new Date(0) }
  }

  #full(key: string, size: number): BackupError {
    const details = { key, size, usedBytes: this.#usedBytes, maxBytes: this.#maxBytes }
    return new BackupError('TARGET_FULL', `the memory target has no room for ${key} (${size} bytes)`, {
      origin: 'target',
      details,
      hint: 'Raise maxBytes, or forget and prune snapshots.',
    })
  }
}
