/** The blocks of code of every page for users. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../built-package.ts'

export interface Block {
  /** As in 'docs/keys.md'. */
  readonly page: string
  /** Of the first line of code, from 1. */
  readonly line: number
  /** '' where there is none. */
  readonly language: string
  readonly code: string
}

/** README.md, CONTRIBUTING.md, SECURITY.md, CHANGELOG.md and all of docs. */
export function pages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  )
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...docs.sort().map((name) => `docs/${name}`)]
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const blocks: Block[] = []
  for (const { index, 1: indent, 2: language, 3: code } of text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)) {
    if (indent !== '') throw new Error(`${page}: a block of code inside a list is not looked at`)
    blocks.push({ page, line: text.slice(0, index).split('\n').length + 1, language: language!, code: code! })
  }
  const fences = text.match(/^ *(```|~~~)/gm)?.length ?? 0
  if (fences !== 2 * blocks.length) throw new Error(`${page}: ${fences} fences, and ${blocks.length} blocks`)
  return blocks
}
