/** The index of very many chunks: invented fragments, real in form, behind a small backup. */
import { join } from 'node:path'
import { PACK_BYTES } from '../../src/model/pack.ts'
import { simulateIndex, writeSmallTree } from '../open/simulate.ts'
import { msOf, type Part, step } from './step.ts'

/** The mean that chunks of files have. */
const CHUNK_BYTES = 400_000
const FRAGMENT_BYTES = 32 * 2 ** 20

export function chunkIndex(chunks: number): Part {
  return {
    prepare: async (folder) => {
      writeSmallTree(join(folder, 'data'))
      await step('backup', join(folder, 'repository'), join(folder, 'data'))
      const bytes = Math.ceil(chunks / Math.floor(PACK_BYTES / CHUNK_BYTES)) * PACK_BYTES
      await simulateIndex(join(folder, 'repository'), {
        bytes,
        chunkBytes: CHUNK_BYTES,
        fragmentBytes: FRAGMENT_BYTES,
      })
    },
    measure: async (folder) => {
      const done = await step('look', join(folder, 'repository'), 'data')
      const what = `index of ${chunks / 1e6} M chunks: loaded, and a first look`
      return [{ what, ms: msOf(done, 'look'), peakBytes: done.peakBytes, goal: { ms: 15_000, bytes: 700e6 } }]
    },
  }
}
