/** Targets that can be switched off, held up and looked into. */
import { createHash } from 'node:crypto'
import { BackupError } from '../../../src/errors.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'

export const body = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text))

export interface Switched {
  target: Target
  objects: ReadonlyMap<string, Uint8Array>
  /** Every call fails. */
  isDead: boolean
  /** Puts and deletes wait until it is let go. */
  hold(): void
  release(): void
  /** Reads asked of it. */
  reads: string[]
  memory: ReturnType<typeof memoryTarget>
}

export function switched(name: string): Switched {
  const memory = memoryTarget()
  let gate: Promise<void> = Promise.resolve()
  let open = (): void => undefined
  const enter = async (): Promise<void> => {
    await gate
    if (state.isDead) throw dead(name)
  }
  const look = (key: string): void => {
    state.reads.push(key)
    if (state.isDead) throw dead(name)
  }
  const target = wrapTarget(memory, {
    name,
    put: async (...args: Parameters<Target['put']>) => enter().then(() => memory.put(...args)),
    delete: async (...args: Parameters<Target['delete']>) => enter().then(() => memory.delete(...args)),
    get: async (...args: Parameters<Target['get']>) => {
      look(args[0])
      return await memory.get(...args)
    },
    stat: async (...args: Parameters<Target['stat']>) => {
      look(args[0])
      return await memory.stat(...args)
    },
    async *list(...args: Parameters<Target['list']>) {
      look(args[0])
      yield* memory.list(...args)
    },
  })
  const state: Switched = {
    target,
    memory,
    objects: memory.objects,
    isDead: false,
    reads: [],
    hold() {
      gate = new Promise((resolve) => {
        open = resolve
      })
    },
    release: () => open(),
  }
  return state
}

export function dead(name: string): BackupError {
  return new BackupError('TARGET_UNREACHABLE', `${name} is dead`, { origin: 'target', retryable: true })
}

/** A pack's key, by its bytes. */
export function packKey(bytes: Uint8Array): string {
  const name = createHash('sha256').update(bytes).digest('hex')
  return `packs/${name.slice(0, 2)}/${name}`
}

export async function keysOf(target: Target, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys.sort()
}

export const turns = (count = 20): Promise<void> =>
  count === 0 ? Promise.resolve() : new Promise<void>((resolve) => setImmediate(resolve)).then(() => turns(count - 1))
