/** A day's work on a folder: some files edited, a few gone, a few new. */

import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { walk } from './trees.ts'

const NEW_FOLDER = 'holdfast-demo'
const NEW_BYTES = 3_000_000

export interface Edited {
  path: string
  before: Buffer
}

/** Changes some fifty files. Gives one that is edited and what it held before, if there is a file at all. */
export function changeSomeFiles(root: string): Edited | undefined {
  const { files } = walk(root)
  const step = Math.max(Math.floor(files.length / 50), 1)
  const chosen = files.filter((_, i) => i % step === 0)
  const edited = chosen.filter((_, i) => i % 3 !== 2)
  const kept = edited.slice(0, 1).map((path) => ({ path, before: readFileSync(join(root, path)) }))
  for (const file of edited) edit(join(root, file))
  for (const file of chosen.filter((_, i) => i % 6 === 2)) rmSync(join(root, file))
  for (const file of chosen.filter((_, i) => i % 6 === 5)) flipMode(join(root, file))
  mkdirSync(join(root, NEW_FOLDER))
  writeFileSync(join(root, NEW_FOLDER, 'new.txt'), 'Written between two backups.\n')
  writeFileSync(join(root, NEW_FOLDER, 'new.bin'), randomBytes(NEW_BYTES))
  return kept[0]
}

function edit(file: string): void {
  const { mode } = statSync(file)
  chmodSync(file, mode | 0o200)
  appendFileSync(file, '\nEdited by the demo.\n')
  chmodSync(file, mode)
}

function flipMode(file: string): void {
  chmodSync(file, statSync(file).mode ^ 0o001)
}
