/** Engines on a target as far away as S3, which counts its requests, in processes that share a cache or have none. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupEngine } from '../../../src/engine/engine.ts'
import type { EngineOptions } from '../../../src/engine/types/index.ts'
import { rawKey } from '../../../src/repository/key-slots-key.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { type ObjectInfo, type Target, wrapTarget } from '../../../src/targets/target.ts'
import { file, type ListSource, listSource, noise } from '../browse/browse-fixture.ts'

/** What S3 gives in one answer to a list, and takes in one delete. */
const PAGE = 1000
export const KEY = rawKey(new Uint8Array(32).fill(9))

export interface Far {
  readonly target: Target
  readonly objects: Map<string, Uint8Array>
  readonly source: ListSource
  /** `get index`, `list snapshots`, `get packs` …: each request since the last call of `take`, in the order they began. */
  take(): string[]
  /** A new process: nothing is remembered but what lies in the cache, a folder or 'none'. */
  open(cache: string, over?: Partial<EngineOptions>): Promise<BackupEngine>
  /** An empty folder for a cache. */
  freshCache(): string
  end(): Promise<void>
}

/** `remote` false: nearer, with smaller packs and a checkpoint after each few of them. */
export function farPlace({ remote = true }: { remote?: boolean } = {}): Far {
  const inner = memoryTarget()
  const requests: string[] = []
  const ask = (operation: string, key: string): void => void requests.push(`${operation} ${key.split('/')[0] || '*'}`)
  const target = wrapTarget(inner, {
    traits: { ...inner.traits, remote },
    put(key, body, call) {
      ask('put', key)
      return inner.put(key, body, call)
    },
    get(key, call) {
      ask('get', key)
      return inner.get(key, call)
    },
    stat(key, call) {
      ask('stat', key)
      return inner.stat(key, call)
    },
    delete(keys, call) {
      ask('delete', keys[0] ?? '')
      return inner.delete(keys, call)
    },
    async *list(prefix, call): AsyncGenerator<ObjectInfo> {
      let count = 0
      ask('list', prefix)
      for await (const info of inner.list(prefix, call)) {
        if (count++ === PAGE) {
          ask('list', prefix)
          count = 1
        }
        yield info
      }
    },
    close: async () => {},
  } satisfies Partial<Target>)
  const source = listSource('files', smallFiles(100))
  const folders: string[] = []
  const engines: BackupEngine[] = []
  return {
    target,
    objects: inner.objects as Map<string, Uint8Array>,
    source,
    take: () => requests.splice(0),
    async open(cache, over = {}) {
      const engine = await BackupEngine.open({
        target,
        key: KEY,
        sources: [source],
        workers: 'inline',
        host: 'web-1',
        cache: cache === 'none' ? cache : { directory: cache },
        ...over,
      })
      engines.push(engine)
      return engine
    },
    freshCache() {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-cache-test-'))
      folders.push(folder)
      return folder
    },
    async end() {
      await Promise.all(engines.map((engine) => engine.close()))
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function smallFiles(count: number) {
  return Array.from({ length: count }, (_, n) => file(`folder-${n % 7}/file-${n}`, noise(200, n + 1)))
}
