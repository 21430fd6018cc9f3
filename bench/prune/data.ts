/**
 * Data of which half is to be forgotten, as years of work leave it: whole folders that went, folders that stay, and twice
 * as many in which every second file went, so that about half of the packs are partly needed.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { mixSeed, Random } from '../generate/random.ts'
import { makeVocabulary, type Vocabulary } from '../generate/words.ts'
import { fillContent } from '../generate/write.ts'

export interface ForgettingOptions {
  /** One chunk each, nearly all of them. */
  readonly files: number
  /** Of all files. */
  readonly bytes: number
  readonly seed: number
}

/** One after the other; the same again and again. */
const FATES = ['goes', 'thins', 'stays', 'thins'] as const
const PARTS = 16
const PER_FOLDER = 250
const OLDEST = 1_770_000_000
const KINDS = ['code', 'code', 'prose', 'json', 'log', 'jpg'] as const

const partOf = (number: number): string => `part-${String(number).padStart(2, '0')}`

/** Writes the tree of the first snapshot into `root`, which must not be there. */
export function writeForgetting(root: string, { files, bytes, seed }: ForgettingOptions): void {
  const vocabulary = makeVocabulary(seed)
  const random = new Random(seed)
  const perPart = Math.ceil(files / PARTS)
  const buffer = new Uint8Array(1024 * 1024)
  for (let n = 0; n < files; n++) {
    const folder = join(root, partOf(Math.floor(n / perPart)), String(Math.floor((n % perPart) / PER_FOLDER)))
    if ((n % perPart) % PER_FOLDER === 0) mkdirSync(folder, { recursive: true })
    const size = Math.min(Math.max(Math.round(random.logNormal(bytes / files / 1.13, 0.5)), 64), buffer.length)
    writeOne(join(folder, `file-${n}`), buffer.subarray(0, size), random, vocabulary)
  }
}

function writeOne(path: string, content: Uint8Array, random: Random, vocabulary: Vocabulary): void {
  fillContent(content, random, vocabulary, random.pick(KINDS), random.below(1000))
  const descriptor = openSync(path, 'wx')
  writeSync(descriptor, content)
  closeSync(descriptor)
  utimesSync(path, OLDEST + random.below(1_000_000), OLDEST)
}

/** What is gone from the tree of the second snapshot: half of the content. */
export function thinOut(root: string, seed: number): void {
  const random = new Random(mixSeed(seed, 3))
  for (let part = 0; part < PARTS; part++) {
    const fate = FATES[part % FATES.length]
    const folder = join(root, partOf(part))
    if (fate === 'goes') rmSync(folder, { recursive: true, force: true })
    else if (fate === 'thins') thinFolder(folder, random)
  }
}

function thinFolder(folder: string, random: Random): void {
  for (const sub of readdirSync(folder).sort()) {
    for (const name of readdirSync(join(folder, sub)).sort()) {
      if (random.chance(0.5)) rmSync(join(folder, sub, name))
    }
  }
}
