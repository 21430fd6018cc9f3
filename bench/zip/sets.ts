/** The data of the ZIP benchmark. Made once and kept; nobody may change it. */
import { randomFillSync } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedTree, FULL } from '../data.ts'

export const SETS = ['media', 'mixed', 'small', 'million'] as const
export type SetName = (typeof SETS)[number]

export const ABOUT: Record<SetName, string> = {
  media: '10 files, 1 GB of noise',
  mixed: '100,000 files, 2 GB: code, text, JSON, media',
  small: '100,000 files of 1 kB',
  million: '1,000,000 files of 200 bytes',
}

/** The folder of a set. */
export function prepareSet(name: SetName, folder: string): string {
  if (name === 'mixed') return cachedTree(folder, FULL)
  const place = join(folder, `zip-${name}`)
  if (existsSync(join(place, 'whole'))) return join(place, 'tree')
  rmSync(place, { recursive: true, force: true })
  if (name === 'media') writeFiles(join(place, 'tree'), 10, 100_000_000, false)
  else if (name === 'small') writeFiles(join(place, 'tree'), 100_000, 1000, true)
  else writeFiles(join(place, 'tree'), 1_000_000, 200, true)
  // Written last: a tree without it is incomplete.
  writeFileSync(join(place, 'whole'), '')
  return join(place, 'tree')
}

const FILES_IN_FOLDER = 1000

/** `isText`: the first half of each file compresses. */
function writeFiles(root: string, files: number, bytes: number, isText: boolean): void {
  const content = Buffer.alloc(bytes, 'a line like any other\n')
  for (let i = 0; i < files; i++) {
    const folder = join(root, `folder-${String(Math.floor(i / FILES_IN_FOLDER)).padStart(4, '0')}`)
    if (i % FILES_IN_FOLDER === 0) mkdirSync(folder, { recursive: true })
    randomFillSync(content, isText ? bytes / 2 : 0)
    writeFileSync(join(folder, `file-${String(i % FILES_IN_FOLDER).padStart(4, '0')}.bin`), content)
  }
}
