/**
 * The benchmark's data: a seeded tree of source code, text, JSON, media, copies and a few large files.
 * Run by itself it makes the tree and prints where it is: `node bench/data.ts [--files N] [--bytes N] [--seed N] [--smoke]`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { planTree, type TreeOptions } from './generate/plan.ts'
import { makeVocabulary } from './generate/words.ts'
import { writeTree } from './generate/write.ts'

/** Raised when the generator changes, so that a tree cached by an older one is not taken for the new one's. */
const GENERATOR = 2

export const FULL: TreeOptions = { files: 100_000, bytes: 2_000_000_000, seed: 1 }
/** For trying the harness, not for figures. */
export const SMOKE: TreeOptions = { files: 3_000, bytes: 60_000_000, seed: 1 }

/** Writes the tree to `root`, which must be empty or absent. About 30 s for the full set. */
export function generateTree(root: string, options: TreeOptions): void {
  mkdirSync(root, { recursive: true })
  writeTree(root, planTree(options), makeVocabulary(options.seed))
}

/** The tree of these options in `folder`, made if it is not there yet. Nobody may change it: copies are changed. */
export function cachedTree(folder: string, options: TreeOptions): string {
  const place = join(folder, `data-${options.files}-${options.bytes}-${options.seed}`)
  const manifest = join(place, 'manifest.json')
  const wanted = JSON.stringify({ generator: GENERATOR, ...options })
  if (!existsSync(manifest) || readFileSync(manifest, 'utf8') !== wanted) {
    rmSync(place, { recursive: true, force: true })
    generateTree(join(place, 'tree'), options)
    // Written last: a tree without it is incomplete.
    writeFileSync(manifest, wanted)
  }
  return join(place, 'tree')
}

/** The value of a command line option that counts something. */
export function positive(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new Error(`--${name} must be a positive whole number: ${text}`)
  return value
}

/** Tree options from command line values; what is not given comes from the preset. */
export function treeOptions(values: { files?: string; bytes?: string; seed?: string; smoke?: boolean }): TreeOptions {
  const preset = values.smoke ? SMOKE : FULL
  return {
    files: values.files === undefined ? preset.files : positive('files', values.files),
    bytes: values.bytes === undefined ? preset.bytes : positive('bytes', values.bytes),
    seed: values.seed === undefined ? preset.seed : positive('seed', values.seed),
  }
}

export const TREE_FLAGS = {
  files: { type: 'string' },
  bytes: { type: 'string' },
  seed: { type: 'string' },
  smoke: { type: 'boolean' },
} as const

if (import.meta.main) {
  const { values } = parseArgs({ options: { ...TREE_FLAGS, dir: { type: 'string', default: '.bench' } } })
  console.log(cachedTree(values.dir, treeOptions(values)))
}
