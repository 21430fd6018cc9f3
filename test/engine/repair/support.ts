/** Repositories in memory with damages of all kinds. */
import { afterEach } from 'vitest'
import { type BackupEngine, memoryTarget, type Source, type Target } from '../../../src/index.ts'
import { type MemorySource, memorySource, testEngine } from '../../../src/testing/index.ts'
import { copyOf, type MemoryTarget } from '../../faults/support.ts'

export { noise } from '../browse/browse-fixture.ts'

const opened: BackupEngine[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
})

export async function openOn(target: Target, sources: readonly Source[] = []): Promise<BackupEngine> {
  const engine = await testEngine({ target, sources: [...sources] })
  opened.push(engine)
  return engine
}

export interface Place {
  target: MemoryTarget
  source: MemorySource
  engine: BackupEngine
  snapshot: string
  /** As it was after the backup. */
  mirror: MemoryTarget
}

export async function backedUp(files: NonNullable<Parameters<typeof memorySource>[0]['files']>): Promise<Place> {
  const target = memoryTarget()
  const source = memorySource({ name: 'data', files })
  const engine = await openOn(target, [source])
  const { snapshot } = await engine.backup()
  return { target, source, engine, snapshot: snapshot.id, mirror: await copyOf(target) }
}

export function keysOf({ objects }: MemoryTarget, prefix: string): string[] {
  return [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
}

/** The larger first. */
export function packsOf(target: MemoryTarget): string[] {
  const sizeOf = (key: string): number => target.objects.get(key)!.length
  return keysOf(target, 'packs/').sort((a, b) => sizeOf(b) - sizeOf(a))
}

export function lose(target: MemoryTarget, ...keys: string[]): void {
  for (const key of keys) (target.objects as Map<string, Uint8Array>).delete(key)
}

export function flip({ objects }: MemoryTarget, key: string, share = 0.5): void {
  const bytes = objects.get(key)!
  bytes[Math.floor(bytes.length * share)]! ^= 8
}

export async function forgetNow(engine: BackupEngine, id: string): Promise<void> {
  const plan = await engine.planForget({ snapshots: [id] })
  await engine.forget(plan, { confirm: plan.digest })
}

export async function pruneNow(engine: BackupEngine): Promise<void> {
  const plan = await engine.planPrune({ keepDeletedMs: 0 })
  await engine.prune(plan, { confirm: plan.digest })
}

/** Called before each call; what it throws is thrown. */
export function hooked(target: MemoryTarget, before: (call: string, key: string) => Promise<void>): Target {
  return {
    apiVersion: 1,
    name: 'memory',
    traits: target.traits,
    put: async (key, body, options) => {
      await before('put', key)
      return target.put(key, body, options)
    },
    get: (key, options) => target.get(key, options),
    stat: (key, options) => target.stat(key, options),
    list: async function* (prefix, options) {
      await before('list', prefix)
      yield* target.list(prefix, options)
    },
    delete: async (keys, options) => {
      for (const key of keys) await before('delete', key)
      return target.delete(keys, options)
    },
    close: async () => undefined,
  }
}
