/** An error in a block is said with its place in the page, and a page that has changed does not go by what it was. */
import { describe, expect, it } from 'vitest'
import type { Block } from './blocks.ts'
import { moduleOf, toPages } from './modules.ts'
import { wrongLines } from './shell.ts'

const block = (line: number, code: string, language = 'ts'): Block => ({ page: 'docs/a.md', line, language, code })

describe('a module of blocks', () => {
  const blocks = [
    block(10, "import { a, b } from 'x'\n\nconst one = a(b)\n"),
    block(20, "import { b } from 'x'\nconst one = b\n"),
  ]
  const module = moduleOf(blocks, {
    before: "import { a } from 'x'\nlet hidden = 0",
    beforeBlock: { 'one = b': 'hidden++' },
  })
  const lineOf = (text: string): number => module.code.split('\n').indexOf(text) + 1

  it('imports each name once, and keeps names of blocks apart', () => {
    expect(module.code.match(/^import .*$/gm)).toEqual(["import { a, b } from 'x'"])
    expect(module.code.replace(/\n+/g, '\n')).toContain('{\nconst one = a(b)\n}\n{\nhidden++\nconst one = b\n}')
  })

  it('knows the line of the page', () => {
    const modules = new Map([['pages/docs/a.ts', module]])
    const [first, second] = [lineOf('const one = a(b)'), lineOf('const one = b')]
    expect(toPages(`pages/docs/a.ts(${first},7): error TS2304`, modules)).toBe('docs/a.md:12: error TS2304')
    expect(toPages(`at file:///x/pages/docs/a.ts:${second}:1`, modules)).toBe('at file:///x/docs/a.md:21')
    expect(toPages(`pages/docs/a.ts(${lineOf('hidden++')},1)`, modules)).toContain('a.ts(')
  })

  it('refuses to exchange what is not there', () => {
    expect(() => moduleOf(blocks, { instead: { '/srv/files': './files' } })).toThrow('no block has /srv/files')
  })
})

describe('lines of shell', () => {
  it('are found wrong: unknown programs, scripts and flags', () => {
    const wrong = wrongLines([
      block(5, 'npm run bench -- --rounds 3\nrm -rf /\n', 'sh'),
      block(9, 'npm run no-such\nnpm run bench:prune -- --files 10 --colour red\n', 'sh'),
    ])
    expect(wrong).toEqual([
      'docs/a.md:6: nobody knows whether this works: rm -rf /',
      'docs/a.md:9: there is no script no-such',
      'docs/a.md:10: bench:prune has no --colour',
    ])
  })
})
