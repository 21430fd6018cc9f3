/** A process that dies at any change that an import, or a copy of snapshots, makes: nothing is lost, and the next call does it. */
import { expect, it } from 'vitest'
import { type BackupEngine, type Clock, copySnapshots, memoryTarget, type Target } from '../../../src/index.ts'
import { crashAfter } from '../../../src/testing/crash-after.ts'
import { memorySource, testEngine } from '../../../src/testing/index.ts'
import { codeOf, copyOf, keysBelow, type MemoryTarget, noise } from '../../faults/support.ts'
import { pruneNow } from '../../prune/support.ts'
import { hastyClock as plainClock } from '../erase/support.ts'

const files = { 'folder/large': noise(700_000, 1), small: 'content', other: noise(90_000, 2) }
const ZIP = { key: 'whole.zip' }

/** The one that it comes from, and a repository that has a snapshot of its own. */
async function prepare() {
  const zips = memoryTarget()
  const from = await testEngine({ sources: [memorySource({ name: 'data', files })] })
  await from.backup({ name: 'theirs' })
  await from.exportZip({ snapshot: 'latest', to: { target: zips, ...ZIP } })
  const target = memoryTarget()
  const own = await open(target)
  await own.backup({ name: 'own' })
  await own.close()
  return { from, zips, target }
}

const hastyClock = (days: number): Clock => {
  const clock = plainClock()
  return { ...clock, now: () => new Date(Date.now() + days * 86_400_000) }
}

const open = (target: Target, days = 0): Promise<BackupEngine> =>
  testEngine({ target, clock: hastyClock(days), sources: [memorySource({ name: 'data', files: { mine: 'other' } })] })

async function within(target: Target, work: (engine: BackupEngine) => Promise<unknown>): Promise<void> {
  const engine = await open(target)
  await work(engine).finally(() => engine.close())
}

const names = async (engine: BackupEngine): Promise<(string | undefined)[]> =>
  (await engine.snapshots({ kinds: ['backup', 'import'] }).toArray()).map(({ name }) => name).sort()

/** Once more, a prune two days later, and nothing is left of what died. */
async function expectFinished(
  target: MemoryTarget,
  work: (engine: BackupEngine) => Promise<unknown>,
  isMadeAgain: boolean,
) {
  const before = await open(target)
  const there = await names(before)
  expect(there).toContain('own')
  expect((await before.verify({ level: 'data' })).sound).toBe(true)
  await before.close()
  await within(target, work)
  const later = await open(target, 2)
  await pruneNow(later, { minDeadShare: 0.05 })
  const again = there.includes('theirs') && isMadeAgain ? ['theirs'] : []
  expect(await names(later)).toEqual(['own', 'theirs', ...again])
  expect(await later.verify({ level: 'data' })).toMatchObject({ sound: true, findings: [] })
  expect(keysBelow(target, 'gc/').filter((key) => !key.endsWith('.done'))).toEqual([])
  await later.close()
}

it.each(['import', 'copy'])(
  '%s: dies after any change',
  async (what) => {
    const { from, zips, target: prepared } = await prepare()
    const work = (engine: BackupEngine): Promise<unknown> =>
      what === 'import' ? engine.importZip({ from: { target: zips, ...ZIP } }) : copySnapshots({ from, to: engine })
    const counting = crashAfter(await copyOf(prepared), Number.POSITIVE_INFINITY)
    await within(counting, work)
    expect(counting.mutations).toBeGreaterThan(5)
    for (let n = 0; n < counting.mutations; n++) {
      const target = await copyOf(prepared)
      await codeOf(within(crashAfter(target, n, { lostReply: n % 2 === 1 }), work))
      await expectFinished(target, work, what === 'import')
    }
    await from.close()
  },
  60_000,
)
