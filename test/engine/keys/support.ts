/** Engines on one memory target, each opened with a key of its own. */
import { BackupEngine, type EngineOptions, memoryTarget, rawKey, type Target } from '../../../src/index.ts'
import { file, listSource, noise } from '../browse/browse-fixture.ts'

export const keyOf = (n: number) => rawKey(new Uint8Array(32).fill(n))
export const [ANN, BEN, CARLA] = [keyOf(1), keyOf(2), keyOf(3)] as const

export type MemoryTarget = Target & { readonly objects: Map<string, Uint8Array> }

export function freshTarget(): MemoryTarget {
  return memoryTarget() as unknown as MemoryTarget
}

export async function copyOf(from: MemoryTarget): Promise<MemoryTarget> {
  const to = freshTarget()
  for (const [key, bytes] of from.objects) await to.put(key, new Uint8Array(bytes))
  return to
}

/** What every engine of these tests backs up; more of it makes a snapshot with something new. */
export const source = listSource('files', [file('a', noise(40_000, 1)), file('b', noise(40_000, 2))])

/** One more file, of that name at most once. */
export function grow(n: number): void {
  const name = `new-${n}`
  if (source.list.some(({ path }) => path === name)) return
  source.list = [...source.list, file(name, noise(5_000, 100 + n))].sort((a, b) => (a.path < b.path ? -1 : 1))
}

export function open(
  target: Target,
  key: EngineOptions['key'],
  over: Partial<EngineOptions> = {},
): Promise<BackupEngine> {
  return BackupEngine.open({ target, key, workers: 'inline', cache: 'none', sources: [source], host: 'test', ...over })
}

export async function using<T>(
  target: Target,
  key: EngineOptions['key'],
  body: (engine: BackupEngine) => Promise<T>,
): Promise<T> {
  const engine = await open(target, key)
  try {
    return await body(engine)
  } finally {
    await engine.close()
  }
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: { code?: string }) => error.code ?? String(error),
  )
}

/** Epoch of the first box of each object below a prefix, in the order in which they were stored. */
export function epochsBelow({ objects }: MemoryTarget, prefix: string): number[] {
  const found: number[] = []
  for (const [key, bytes] of objects) {
    const buffer = Buffer.from(bytes)
    if (key.startsWith(prefix)) found.push(buffer.readUInt32LE(buffer.indexOf('HFBX') + 8))
  }
  return found
}

export function keysBelow({ objects }: MemoryTarget, prefix: string): string[] {
  return [...objects.keys()].filter((key) => key.startsWith(prefix))
}
