/** Trees with marked contents, and looks for marks in everything that a target holds. */
import { linkSync } from 'node:fs'
import { join } from 'node:path'
import { contextOf } from '../../../src/engine/engine-contexts.ts'
import { withReading } from '../../../src/engine/reading/reading.ts'
import {
  BackupEngine,
  type Clock,
  type EngineOptions,
  type ErasePlan,
  type EraseResult,
  filesystem,
  type PlanEraseOptions,
  systemClock,
  type Target,
} from '../../../src/index.ts'
import { file, type Look, type MemoryTarget, noise } from '../../faults/support.ts'

export const SECRET = 'the-secret-that-has-to-go'
export const KEPT = 'what-everybody-may-see'
/** In names as well. */
export const NAME = 'anna-lovelace'

/** Some hundred files around those that are to go: in a folder of hers, and one elsewhere. */
export function makePeople(root: string, files = 60): void {
  for (let i = 0; i < files; i++) file(join(root, 'people', `p${i}`, 'letter'), `${KEPT} ${i}\n`.repeat(20 + i))
  file(join(root, 'people', NAME, 'letter'), `${SECRET} letter\n`.repeat(50))
  file(
    join(root, 'people', NAME, 'pictures', 'large'),
    Buffer.concat([Buffer.from(SECRET.repeat(9000)), noise(900_000, 5)]),
  )
  file(join(root, 'lists', 'kept'), noise(400_000, 6))
  file(join(root, 'lists', `${NAME}.txt`), `${SECRET} of the list\n`.repeat(300))
  linkSync(join(root, 'people', 'p1', 'letter'), join(root, 'people', NAME, 'linked'))
}

export function openPlain(target: Target, source: string, over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  return BackupEngine.open({
    target,
    key: 'none',
    transforms: [],
    workers: 'inline',
    host: 'web-1',
    sources: [filesystem({ name: 'data', path: source })],
    ...over,
  })
}

/** Keys of objects in which the text occurs. */
export function holding({ objects }: MemoryTarget, text: string): string[] {
  return [...objects].flatMap(([key, bytes]) => (Buffer.from(bytes).includes(text) ? [key] : []))
}

export async function eraseNow(
  engine: BackupEngine,
  options: PlanEraseOptions,
): Promise<{ plan: ErasePlan; result: EraseResult }> {
  const plan = await engine.planErase(options)
  return { plan, result: await engine.erase(plan, { confirm: plan.digest }) }
}

export function without(look: Look, gone: (path: string) => boolean): Look {
  return Object.fromEntries(Object.entries(look).filter(([path]) => !gone(path)))
}

/** What every pack of the index holds, opened. */
export async function everyChunk(engine: BackupEngine): Promise<Uint8Array[]> {
  const context = contextOf(engine)!
  const chunks: Uint8Array[] = []
  await withReading(context, new AbortController().signal, async (reading) => {
    const session = await reading.open('browse')
    for (const table of context.repository.index.index.tables) {
      for (let entry = 0; entry < table.chunks; entry++) {
        if (table.packIsAbsent(table.packNumber(entry))) continue
        const id = new Uint8Array(32)
        table.ids.copyId(entry, new DataView(id.buffer), 0)
        chunks.push(await session.call<Uint8Array>('chunk', { id, bytes: table.lengthOf(entry) }))
      }
    }
  })
  return chunks
}

/** Waits take no time, and count as if they had: what a dead process leaves behind stands still for long enough. */
export function hastyClock(): Clock {
  let aheadMs = 0
  return {
    now: () => new Date(),
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    async sleep(ms, options = {}) {
      if (options.unref || ms > 60_000) return systemClock.sleep(ms, options)
      aheadMs += ms
    },
  }
}
