/** Readers that a prune overtakes: their packs are gone, and what they need was sealed anew, with other neighbours, elsewhere. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { type BackupEngine, copySnapshots, memoryTarget, rawKey, wrapTarget, zstd } from '../../src/index.ts'
import { codeOf, expectSound, file, look, type MemoryTarget, noise, openOn, scratch } from '../faults/support.ts'
import { forgetAll, keysOfPacks, pruneNow } from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

interface Overtaken {
  reader: BackupEngine
  last: string
  before: string
  target: MemoryTarget
  /** From now on the reader's n-th look at a pack comes after a prune. */
  arm(nth: number): void
  rewritten(): number
  /** The same, and the last snapshot is forgotten before. */
  forgetOnTheWay(): void
  close(): Promise<void>
}

/** Three snapshots; of the first one's segments the others need a part. */
async function overtaken(over: Parameters<typeof openOn>[2] = {}): Promise<Overtaken> {
  const target = memoryTarget()
  const writer = await openOn(target, source(), { transforms: [zstd({ level: 12 })] })
  const made: string[] = []
  for (let n = 0; n < 3; n++) {
    if (n === 0) for (let i = 0; i < 40; i++) file(`${source()}/${i % 4}/f${i}`, text(i))
    if (n > 0) for (let i = n; i < 40; i += 3) rmSync(`${source()}/${i % 4}/f${i}`)
    made.push((await writer.backup()).snapshot.id)
  }
  let left = Number.POSITIVE_INFINITY
  let rewritten = 0
  let doomed: string[] = []
  const get: MemoryTarget['get'] = async (key, options) => {
    if (key.startsWith('packs/') && --left === 0) {
      if (doomed.length > 0) await forgetAll(writer, doomed)
      rewritten = (await pruneNow(writer, { minDeadShare: 0.01 })).rewritten.packs
    }
    return target.get(key, options)
  }
  await forgetAll(writer, [made[0]!])
  const reader = await openOn(wrapTarget(target, { get }), source(), over)
  await reader.snapshots().toArray()
  return {
    reader,
    target,
    before: made[1]!,
    last: made[2]!,
    arm: (nth) => {
      left = nth
    },
    rewritten: () => rewritten,
    forgetOnTheWay: () => {
      left = 1
      doomed = [made[2]!]
    },
    close: async () => void (await Promise.all([reader.close(), writer.close()])),
  }
}

/** Half of it compresses. */
function text(i: number): Uint8Array {
  return Buffer.concat([Buffer.from(`content of ${i}\n`.repeat(400)), noise(9000, i + 5)])
}

const VERBS: Record<string, (made: Overtaken) => Promise<void>> = {
  restore: async ({ reader, last }) => {
    const plan = await reader.planRestore({ snapshot: last, to: { folder: folder.at('to') } })
    await reader.restore(plan)
    expect(look(folder.at('to', 'data'))).toEqual(look(source()))
  },
  read: async ({ reader, last }) => {
    const stream = await reader.read({ snapshot: last, path: 'data/0/f12' })
    expect(await buffer(stream)).toEqual(readFileSync(`${source()}/0/f12`))
  },
  entries: async ({ reader, last }) => {
    expect(await reader.entries({ snapshot: last, recursive: true }).toArray()).toHaveLength(
      Object.keys(look(source())).length,
    )
  },
  diff: async ({ reader, before, last }) => {
    const { totals } = await reader.diff({ base: before, head: last })
    expect(totals.deleted.count).toBe(13)
  },
  exportZip: async ({ reader, last }) => {
    mkdirSync(folder.at('zip'))
    const { entries } = await reader.exportZip({ snapshot: last, to: { path: folder.at('zip', 'out.zip') } })
    expect(entries).toBe(Object.keys(look(source())).length)
  },
  verify: async ({ reader }) => {
    const { sound, findings } = await reader.verify({ level: 'content' })
    expect({ sound, findings }).toEqual({ sound: true, findings: [] })
  },
  copySnapshots: async ({ reader, last }) => {
    const to = await openOn(memoryTarget(), source(), { key: rawKey(new Uint8Array(32).fill(9)) })
    expect((await copySnapshots({ from: reader, to, snapshots: [last] })).copied).toHaveLength(1)
    await expectSound(to)
    await to.close()
  },
}

describe('a prune that overtakes', () => {
  for (const [verb, run] of Object.entries(VERBS)) {
    it(`${verb}: it goes on from where it was`, async () => {
      const made = await overtaken()
      const before = keysOfPacks(made.target)
      made.arm(verb === 'diff' || verb === 'entries' ? 1 : 2)
      await run(made)
      expect(made.rewritten()).toBeGreaterThan(0)
      expect(keysOfPacks(made.target).filter((key) => before.includes(key)).length).toBeLessThan(before.length)
      await made.close()
    })
  }

  it('restore: of a snapshot that was forgotten meanwhile it says that, and not that something is damaged', async () => {
    const made = await overtaken()
    const plan = await made.reader.planRestore({ snapshot: made.last, to: { folder: folder.at('to') } })
    made.forgetOnTheWay()
    expect(await codeOf(made.reader.restore(plan))).toBe('SNAPSHOT_NOT_FOUND')
    expect(existsSync(folder.at('to', 'data'))).toBe(false)
    await made.close()
  })
})
