/** The seeded change between two backups: one file in a hundred edited, rewritten, added or deleted. */
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { mixSeed, Random } from './generate/random.ts'
import { makeVocabulary, type Vocabulary } from './generate/words.ts'
import { fillContent } from './generate/write.ts'

export interface ChangeCounts {
  readonly files: number
  readonly edited: number
  readonly rewritten: number
  readonly added: number
  readonly deleted: number
}

/** Above this a file is edited in place, as a database or a log would be. */
const WHOLE_FILE = 8 * 1024 * 1024
const PAGE = 8192

/** Regular files below `root`, sorted, so that the choice does not depend on the order of the directory. */
function listFiles(root: string): string[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return files.sort()
}

/** A different choice of `count` members. */
function sample<T>(list: readonly T[], count: number, random: Random): T[] {
  const pool = [...list]
  for (let i = 0; i < count; i++) {
    const j = i + random.below(pool.length - i)
    ;[pool[i], pool[j]] = [pool[j] as T, pool[i] as T]
  }
  return pool.slice(0, count)
}

/** Some pages overwritten and some lines appended. */
function editLarge(path: string, size: number, random: Random, vocabulary: Vocabulary): void {
  const descriptor = openSync(path, 'r+')
  const page = new Uint8Array(PAGE)
  for (let i = 0; i < 20; i++) {
    const at = random.below(Math.floor(size / PAGE)) * PAGE
    readSync(descriptor, page, 0, PAGE, at)
    fillContent(page.subarray(0, 256), random, vocabulary, 'prose', 0)
    writeSync(descriptor, page, 0, PAGE, at)
  }
  fillContent(page, random, vocabulary, 'log', 0)
  writeSync(descriptor, page, 0, PAGE, size)
  closeSync(descriptor)
}

/** A line put in somewhere and a few bytes changed elsewhere. */
function editSmall(path: string, random: Random, vocabulary: Vocabulary): void {
  const before = readFileSync(path)
  const line = new Uint8Array(random.between(20, 80))
  fillContent(line, random, vocabulary, 'prose', 0)
  const at = random.below(before.length + 1)
  const after = Buffer.concat([before.subarray(0, at), line, before.subarray(at)])
  const spot = random.below(after.length)
  after[spot] = (after[spot] as number) ^ 1
  writeFileSync(path, after)
}

function edit(path: string, random: Random, vocabulary: Vocabulary): void {
  const { size } = lstatSync(path)
  if (size > WHOLE_FILE) editLarge(path, size, random, vocabulary)
  else editSmall(path, random, vocabulary)
}

/** All of its content is new; the size stays, up to a limit. At least one byte, so that an empty file changes too. */
function rewrite(path: string, size: number, random: Random, vocabulary: Vocabulary): void {
  const content = new Uint8Array(Math.min(Math.max(size, 1), WHOLE_FILE))
  fillContent(content, random, vocabulary, 'code', random.below(1000))
  writeFileSync(path, content)
}

/**
 * Changes `share` of the files below `root`: half are edited, a fifth rewritten, 15 % deleted, and as many new ones come
 * beside the rest. The same tree and seed give the same result.
 */
export function applyChange(root: string, options: { seed: number; share?: number }): ChangeCounts {
  const random = new Random(mixSeed(options.seed, 2))
  const vocabulary = makeVocabulary(options.seed)
  const files = listFiles(root)
  const chosen = sample(files, Math.max(1, Math.round(files.length * (options.share ?? 0.01))), random)
  const counts = { files: files.length, edited: 0, rewritten: 0, added: 0, deleted: 0 }
  chosen.forEach((path, i) => {
    const part = (i + 0.5) / chosen.length
    if (part < 0.5) {
      edit(path, random, vocabulary)
      counts.edited++
    } else if (part < 0.7) {
      rewrite(path, lstatSync(path).size, random, vocabulary)
      counts.rewritten++
    } else if (part < 0.85) {
      rewrite(join(dirname(path), `new-${options.seed}-${i}`), lstatSync(path).size, random, vocabulary)
      counts.added++
    } else {
      rmSync(path)
      counts.deleted++
    }
  })
  return counts
}
