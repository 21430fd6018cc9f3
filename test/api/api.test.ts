/** The public types are those that docs/api keeps, and a change of them is seen and said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCEPT, builtTypes, currentApi, entries, KEPT, readApi } from '../../scripts/api/api.ts'
import { changesOf } from '../../scripts/api/changes.ts'
import { rollUp } from '../../scripts/api/roll-up.ts'

describe('docs/api', () => {
  it('has the types of every entry, as they are built', async () => {
    const types = await builtTypes()
    try {
      const changes = changesOf(readApi(KEPT), await currentApi(types.folder))
      expect(changes, `The public types have changed. If they should: ${ACCEPT}, and a line in CHANGELOG.md`).toBe('')
    } finally {
      types.remove()
    }
  }, 60_000)

  it('has one file for each entry, which shows no name of a chunk', () => {
    const kept = readApi(KEPT)
    expect([...kept.keys()]).toEqual(entries())
    for (const [entry, text] of kept) expect(text, entry).not.toMatch(/from '\.|-[\w-]{8}\.js|\$\d/)
  })
})

describe('a roll-up', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-api-test-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

  /** As two builds may give the same types: in other files, under other short names. */
  function build(chunk: string, [a, b]: readonly [string, string]): void {
    write(
      `${chunk}.d.ts`,
      `import { Readable } from 'node:stream';
       /** About the file. */

       /** About a thing. */
       interface Thing { /** Of it. */ readonly part: Part; stream(): Readable }
       interface Part { thing?: Thing }
       declare function make(part: Part): Thing;
       declare function make(): Thing;
       export { type Thing as ${a}, make as ${b} };`,
    )
    write(
      'index.d.ts',
      `import { ${a} as Other } from './${chunk}.js';
       export { ${a} as Thing, ${b} as make } from './${chunk}.js';
       declare class Zoo implements Other { readonly part: Part; stream(): never }
       type Part = string;
       export { Zoo };`,
    )
    write(
      'more.d.ts',
      `import { ${a} as Q, ${b} } from './${chunk}.js';
       declare const things: readonly Q[];
       export { things, ${b} as make };`,
    )
  }

  it('has everything in order of name, each with its own comment alone', () => {
    build('types-Xy12_-ab', ['a', 'b'])
    expect(rollUp(folder, 'index').replace(/\n +/g, '\n')).toBe(
      `import type { Readable } from 'node:stream'

/** About a thing. */
export interface Thing { /** Of it. */ readonly part: Part; stream(): Readable }

export declare class Zoo implements Thing { readonly part: Part_2; stream(): never }

export declare function make(part: Part): Thing;
export declare function make(): Thing;

// Not exported, and part of what is:

interface Part { thing?: Thing }

type Part_2 = string;

`,
    )
  })

  it('is the same whatever chunks and their short names are', () => {
    build('types-Xy12_-ab', ['a', 'b'])
    const first = rollUp(folder, 'index')
    build('other-00000000', ['b', 'a'])
    expect(rollUp(folder, 'index')).toBe(first)
  })

  it('does not repeat what the main entry exports', () => {
    build('types-Xy12_-ab', ['a', 'b'])
    expect(rollUp(folder, 'more')).toBe(
      `import type { Thing } from 'holdfast'
export { make } from 'holdfast'

export declare const things: readonly Thing[];

`,
    )
  })
})

describe('the changes', () => {
  it('are the lines that came and went, by entry', () => {
    const before = new Map([
      ['index', 'a\nb\nc\nd\n'],
      ['s3', 'x\n'],
      ['gone', 'y'],
    ])
    const after = new Map([
      ['index', 'a\nB\nc\nnew\nd\n'],
      ['s3', 'x\n'],
    ])
    expect(changesOf(before, after)).toBe(
      ['docs/api/gone.d.ts', '- y', '+ ', 'docs/api/index.d.ts', '- b', '+ B', '+ new'].join('\n'),
    )
    expect(changesOf(before, before)).toBe('')
  })
})
