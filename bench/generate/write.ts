/** Writes a planned tree to disk. Synchronous on purpose: it is a script, and several times faster so. */
import { closeSync, linkSync, mkdirSync, openSync, symlinkSync, utimesSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeCode } from './code.ts'
import { writeMedia, writeNoise } from './media.ts'
import type { ContentKind, PlannedFile, PlannedItem } from './plan.ts'
import { writeProse } from './prose.ts'
import { Random } from './random.ts'
import { writeDatabase, writeJson, writeLog } from './records.ts'
import { Pen, type Vocabulary } from './words.ts'

const BLOCK = 4 * 1024 * 1024
const FOLDER_TIME = 1_770_000_000

/** Fills `out` with content of a kind; the random state decides which. */
export function fillContent(
  out: Uint8Array,
  random: Random,
  vocabulary: Vocabulary,
  kind: ContentKind,
  project: number,
): void {
  const pen = new Pen(out)
  if (kind === 'code') writeCode(pen, random, vocabulary, project)
  else if (kind === 'prose') writeProse(pen, random, vocabulary)
  else if (kind === 'json') writeJson(pen, random, vocabulary, project)
  else if (kind === 'log') writeLog(pen, random, vocabulary)
  else if (kind === 'database') writeDatabase(pen, random, vocabulary)
  else if (kind === 'archive') writeNoise(out, random)
  else writeMedia(out, random, kind)
}

function writeFile(path: string, file: PlannedFile, vocabulary: Vocabulary, buffer: Uint8Array): void {
  const random = new Random(file.seed)
  const descriptor = openSync(path, 'wx', file.mode)
  for (let left = file.size; left > 0; left -= BLOCK) {
    const block = buffer.subarray(0, Math.min(left, BLOCK))
    fillContent(block, random, vocabulary, file.kind, file.project)
    writeSync(descriptor, block)
  }
  closeSync(descriptor)
  utimesSync(path, file.modifiedAt, file.modifiedAt)
}

/** Creates the tree in `root`, which must be empty or absent. */
export function writeTree(root: string, items: readonly PlannedItem[], vocabulary: Vocabulary): void {
  const buffer = new Uint8Array(BLOCK)
  const folders = new Set<string>()
  for (const item of items) {
    const path = join(root, item.path)
    const folder = dirname(path)
    if (!folders.has(folder)) mkdirSync(folder, { recursive: true })
    folders.add(folder)
    if (item.type === 'file') writeFile(path, item, vocabulary, buffer)
    else if (item.type === 'symlink') symlinkSync(item.to, path)
    else linkSync(join(root, item.to), path)
  }
  // Every folder above a file too, children first: creating an entry would change its parent's time again.
  for (const folder of [...folders]) {
    for (let up = folder; up.startsWith(root) && up !== root; up = dirname(up)) folders.add(up)
  }
  for (const folder of [...folders].sort().reverse()) utimesSync(folder, FOLDER_TIME, FOLDER_TIME)
}
