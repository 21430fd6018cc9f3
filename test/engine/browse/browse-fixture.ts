/** Engines on memory whose sources are lists that a test changes, and what tests of entries, read and diff share. */
import { vi } from 'vitest'
import { BackupEngine } from '../../../src/engine/engine.ts'
import { Reading } from '../../../src/engine/reading/reading.ts'
import type { EngineOptions } from '../../../src/engine/types/index.ts'
import { rawKey } from '../../../src/repository/key-slots-key.ts'
import type { Source, SourceEntry } from '../../../src/sources/source.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { comparePaths, userToLatin1 } from '../../../src/util/paths.ts'

export interface ListSource extends Source {
  /** What it holds now, in any order. */
  list: readonly SourceEntry[]
  /** Sessions that have not been disposed of. */
  sessions: number
}

export function listSource(name: string, list: readonly SourceEntry[] = []): ListSource {
  const source: ListSource = {
    apiVersion: 1,
    name,
    kind: 'list',
    list,
    sessions: 0,
    open: async () => {
      const sorted = [...source.list].sort((a, b) => comparePaths(userToLatin1(a.path), userToLatin1(b.path)))
      source.sessions++
      return {
        describe: async () => ({ kind: 'a list' }),
        async *entries() {
          for (let at = 0; at < sorted.length; at += 1000) yield sorted.slice(at, at + 1000)
        },
        async [Symbol.asyncDispose]() {
          source.sessions--
        },
      }
    },
  }
  return source
}

export const MTIME = 1_700_000_000_000

export function file(path: string, content: string | Uint8Array = path, over: Partial<SourceEntry> = {}): SourceEntry {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return {
    path,
    type: 'file',
    size: bytes.length,
    mode: 0o644,
    modifiedAt: new Date(MTIME),
    fingerprint: Buffer.from(bytes.subarray(0, 64)).toString('hex') + bytes.length,
    content: { from: 'bytes', bytes },
    ...over,
  }
}

export function folder(path: string, over: Partial<SourceEntry> = {}): SourceEntry {
  return { path, type: 'directory', mode: 0o755, modifiedAt: new Date(MTIME), ...over }
}

export function symlink(path: string, linkTarget: string): SourceEntry {
  return { path, type: 'symlink', linkTarget }
}

/** Incompressible, the same for the same seed. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const out = new Uint32Array(Math.ceil(bytes / 4))
  let state = seed | 0 || 1
  for (let i = 0; i < out.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    out[i] = state
  }
  return new Uint8Array(out.buffer, 0, bytes).slice()
}

export function openEngine(sources: readonly Source[], over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  return BackupEngine.open({
    target: memoryTarget(),
    key: rawKey(new Uint8Array(32).fill(7)),
    workers: 'inline',
    sources,
    ...over,
  })
}

/** Readings that were begun and not ended: what a verb must not leave. */
export function watchReadings(): { readonly left: number } {
  let left = 0
  const { open, close } = Reading.prototype
  const begun = new WeakSet<Reading>()
  vi.spyOn(Reading.prototype, 'open').mockImplementation(function (this: Reading, ...args) {
    if (!begun.has(this)) left++
    begun.add(this)
    return open.apply(this, args)
  })
  vi.spyOn(Reading.prototype, 'close').mockImplementation(async function (this: Reading, ...args) {
    await close.apply(this, args)
    if (begun.delete(this)) left--
  })
  return {
    get left() {
      return left
    },
  }
}
