/** Bytes that change on their way from the target: what does not open is read again, wherever it is read. */
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { type BackupEngine, memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { faultyTarget } from '../../src/testing/index.ts'
import { look, type MemoryTarget, makeTree, openOn, restored, scratch } from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

async function prepared(): Promise<MemoryTarget> {
  makeTree(source())
  const target = memoryTarget()
  const engine = await openOn(target, source())
  await engine.backup()
  await engine.close()
  return target
}

async function restoreOf(engine: BackupEngine): Promise<unknown> {
  return engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: folder.at('out') } }))
}

/** Every read of a pack is bent that is the nth of its range; others are as they are. */
function bent(inner: MemoryTarget, times: number) {
  const reads = new Map<string, number>()
  let struck = 0
  const target = wrapTarget(inner, {
    async get(key, options) {
      const bytes = await inner.get(key, options)
      const read = `${key} ${options?.range?.start}`
      const nth = (reads.get(read) ?? 0) + 1
      reads.set(read, nth)
      if (!key.startsWith('packs/') || options?.range === undefined || nth > times) return bytes
      struck++
      // The first segment of a range: a later request for it alone begins there as well.
      const place = Math.min(200, bytes.byteLength - 1)
      bytes[place] = bytes[place]! ^ (1 << (nth % 8))
      return bytes
    },
  } satisfies Partial<Target>)
  return { target, struck: () => struck }
}

describe('ranges of packs that arrive with another bit', () => {
  it.each([1, 2])('%i times are read again, by a restore, a check of all data and a pull', async (times) => {
    const inner = await prepared()
    const over = async (use: (engine: BackupEngine) => Promise<void>): Promise<void> => {
      const { target, struck } = bent(inner, times)
      const engine = await openOn(target, source(), { cache: 'none' })
      await use(engine)
      expect(struck()).toBeGreaterThanOrEqual(times)
      await engine.close()
    }
    await over(async (engine) => {
      expect(await restored(engine, 'latest', folder.path)).toEqual(look(source()))
    })
    await over(async (engine) => {
      const big = await buffer(await engine.read({ snapshot: 'latest', path: 'data/big' }))
      expect(big.equals(readFileSync(folder.at('source', 'big')))).toBe(true)
    })
    await over(async (engine) => {
      expect(await engine.verify({ level: 'data' })).toMatchObject({ sound: true, findings: [] })
    })
  })

  it('each time are damage, after four reads', async () => {
    const inner = await prepared()
    const { target } = bent(inner, Number.POSITIVE_INFINITY)
    const engine = await openOn(target, source(), { cache: 'none' })
    await expect(restoreOf(engine)).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
    await engine.close()
  })

  it('come from the target twice alike only where they lie damaged', async () => {
    const inner = await prepared()
    const faulty = faultyTarget(inner, [{ operation: 'get', fault: 'corrupt', keys: /^packs\//, rate: 1 }])
    const engine = await openOn(faulty, source(), { cache: 'none' })
    await expect(restoreOf(engine)).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
    // The same bytes a second time are enough.
    expect(faulty.hits).toHaveLength(2)
    await engine.close()
  })
})
