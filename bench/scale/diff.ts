/** Two snapshots of very many entries, a hundred of them changed: compared and browsed. */
import { join } from 'node:path'
import { type Figure, msOf, type Part, step } from './step.ts'

const CHANGED = 100
const BYTES = 200e6

export function diff(entries: number): Part {
  const name = `${entries / 1e6} M entries`
  return {
    prepare: async (folder) => {
      await step('generated', join(folder, 'repository'), entries, 0)
      await step('generated', join(folder, 'repository'), entries, CHANGED)
    },
    measure: async (folder) => {
      const repository = join(folder, 'repository')
      const compared = await step('diff', repository)
      if (compared.facts?.changes !== CHANGED) throw new Error(`${compared.facts?.changes} changes were found`)
      const figures: Figure[] = [
        {
          what: `${name}, ${CHANGED} changed: diff`,
          ms: msOf(compared, 'diff'),
          peakBytes: compared.peakBytes,
          goal: { ms: 1000, bytes: BYTES },
        },
      ]
      for (const verb of ['first page', 'deep page', 'folder']) {
        const done = await step('browse', repository, verb, entries)
        figures.push({
          what: `${name}: ${verb}`,
          ms: msOf(done, verb),
          peakBytes: done.peakBytes,
          goal: { ms: 1000, bytes: BYTES },
        })
      }
      return figures
    },
  }
}
