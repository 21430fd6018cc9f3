/** Very many snapshots, listed by a new process with an empty cache, by one with a full one, and again by the same. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeSmallTree } from '../open/simulate.ts'
import { repeatSnapshot } from './repeat-snapshot.ts'
import { type Figure, msOf, type Part, step } from './step.ts'

export function snapshots(count: number): Part {
  return {
    prepare: async (folder) => {
      writeSmallTree(join(folder, 'data'))
      await step('backup', join(folder, 'repository'), join(folder, 'data'))
      await repeatSnapshot(join(folder, 'repository'), count)
    },
    measure: async (folder) => {
      const cache = join(folder, 'cache')
      rmSync(cache, { recursive: true, force: true })
      const cold = await step('snapshots', join(folder, 'repository'), cache)
      const warm = await step('snapshots', join(folder, 'repository'), cache)
      if (cold.facts?.snapshots !== count) throw new Error(`${cold.facts?.snapshots} snapshots were listed`)
      const figure = (what: string, ms: number, peakBytes?: number): Figure => ({
        what: `${count} snapshots: ${what}`,
        ms,
        peakBytes,
      })
      return [
        figure('listed', msOf(cold, 'first'), cold.peakBytes),
        figure('listed by the next process', msOf(warm, 'first'), warm.peakBytes),
        figure('listed again by the same', msOf(warm, 'again')),
        figure('the newest hundred, by the same', msOf(warm, 'page')),
      ]
    },
  }
}
