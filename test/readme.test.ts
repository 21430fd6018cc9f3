/** What README.md shows, and that links and scripts of all pages exist. Their code is run by test/docs/docs.test.ts. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './built-package.ts'
import { blocksOf, pages } from './docs/blocks.ts'

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

describe('README.md', () => {
  it('has a quick start and a block for each verb', () => {
    const blocks = blocksOf('README.md').filter(({ language }) => language === 'ts')
    expect(blocks[0]!.code).toContain('BackupEngine.open')
    const code = blocks.map((block) => block.code).join('\n')
    for (const verb of VERBS) expect(code, verb).toContain(`engine.${verb}(`)
  })

  it('names only npm scripts that exist, as do all pages', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: object }
    const named = pages().flatMap((page) => [...read(page).matchAll(/`?npm run ([\w:-]+)/g)].map(([, name]) => name!))
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

describe('links', () => {
  it.for(pages())('of %s lead to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link!)
    expect(links.filter((link) => !existsSync(join(ROOT, page, '..', link)))).toEqual([])
  })
})

const VERBS = [
  'backup',
  'snapshots',
  'entries',
  'read',
  'diff',
  'verify',
  'planRestore',
  'restore',
  'planForget',
  'forget',
  'undoForget',
  'planErase',
  'erase',
  'planPrune',
  'prune',
  'planRepair',
  'repair',
  'keys.add',
  'keys.rotate',
  'stats',
  'exportZip',
  'follow',
]
