/** Very many files in one directory. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Figure, msOf, type Part, step } from './step.ts'

const BYTES = 512e6

export function million(files: number): Part {
  const data = (folder: string): string => join(folder, 'data')
  return {
    prepare: async (folder) => {
      mkdirSync(data(folder))
      for (let n = 0; n < files; n++)
        writeFileSync(join(data(folder), `file number ${n}.txt`), `content of file ${n}\n`)
    },
    measure: async (folder) => {
      const repository = join(folder, 'repository')
      const restored = join(folder, 'restored')
      rmSync(repository, { recursive: true, force: true })
      const name = `${files / 1e6} M files in one directory`
      const figures: Figure[] = []
      const take = async (what: string, args: string[], goal: NonNullable<Figure['goal']>): Promise<void> => {
        const done = await step(...args)
        figures.push({ what: `${name}: ${what}`, ms: msOf(done, args[0]!), peakBytes: done.peakBytes, goal })
      }
      await take('first backup', ['backup', repository, data(folder)], { bytes: BYTES })
      await take('unchanged backup', ['backup', repository, data(folder)], { ms: 8000, bytes: BYTES })
      await take('listing, all of it', ['list', repository, 'data'], { bytes: BYTES })
      await take('restore', ['restore', repository, restored], { bytes: BYTES })
      rmSync(restored, { recursive: true, force: true })
      rmSync(repository, { recursive: true, force: true })
      return figures
    },
  }
}
