import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntryMeta } from '../../../src/model/entry.ts'
import type { TreeRoot } from '../../../src/model/page.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import { EntrySelector } from '../../../src/workers/browse/entry-selector.ts'
import { readRows } from '../../../src/workers/diff/rows.ts'
import { type DiffAnswer, TreesDiff } from '../../../src/workers/diff/service.ts'
import { PageStore, quietHost } from '../tree/tree-support.ts'

type Tree = ReadonlyMap<string, EntryMeta>

const pathOf = (i: number): string => `${String.fromCharCode(97 + (i % 5))}/${i % 50}/${i}`
const entry = (i: number, mode = 0): EntryMeta => ({ path: pathOf(i), type: 3, mode })

function treeOf(count: number): Map<string, EntryMeta> {
  return new Map(Array.from({ length: count }, (_, i) => [pathOf(i), entry(i)]))
}

async function run(store: PageStore, base: TreeRoot | null, head: TreeRoot | null, from = '') {
  const select = new EntrySelector('s', { include: [], exclude: [] })
  const diff = new TreesDiff(store.reader, { source: 's', base, head, from }, select, quietHost)
  const rows: string[] = []
  let passed = 0
  for (;;) {
    const answer = (await diff.next()).value as DiffAnswer
    passed += answer.passed
    for (const { type, before, after } of readRows(answer.batch)) rows.push(`${type} ${(after ?? before)!.path}`)
    if (answer.done) return { rows, passed }
  }
}

function expected(base: Tree, head: Tree, from = ''): string[] {
  const rows: [string, string][] = []
  for (const path of new Set([...base.keys(), ...head.keys()])) {
    const [before, after] = [base.get(path), head.get(path)]
    const type = !before ? 'added' : !after ? 'deleted' : before.mode !== after.mode ? 'metadata' : undefined
    if (type && comparePaths(path, from) >= 0) rows.push([path, type])
  }
  return rows.sort((a, b) => comparePaths(a[0], b[0])).map(([path, type]) => `${type} ${path}`)
}

const store = new PageStore()
const whole = treeOf(12_000)
const wholeRoot = store.build(whole.values())

/** Runs of entries that are changed, deleted or put in. */
const edits = fc.array(
  fc.record({
    at: fc.nat(12_500),
    count: fc.constantFrom(1, 1, 3, 700, 4000),
    kind: fc.constantFrom('mode', 'delete', 'add'),
  }),
  { minLength: 0, maxLength: 4 },
)

function edited(list: readonly { at: number; count: number; kind: string }[]): Map<string, EntryMeta> {
  const tree = new Map(whole)
  for (const { at, count, kind } of list) {
    for (let i = at; i < at + count; i++) {
      if (kind === 'delete') tree.delete(pathOf(i))
      else if (kind === 'mode') tree.set(pathOf(i), entry(i, 7))
      else tree.set(`${pathOf(i)}+`, { ...entry(i), path: `${pathOf(i)}+` })
    }
  }
  return tree
}

describe('two trees', () => {
  it('give the same as a comparison of all their entries', async () => {
    await fc.assert(
      fc.asyncProperty(edits, edits, fc.boolean(), async (one, two, isFromWhole) => {
        const base = isFromWhole ? whole : edited(one)
        const head = edited(two)
        const [baseRoot, headRoot] = [store.build(base.values()), store.build(head.values())]
        const { rows, passed } = await run(store, baseRoot, headRoot)
        expect(rows).toEqual(expected(base, head))
        expect(passed).toBe(base.size + head.size)
      }),
      { numRuns: 40 },
    )
  }, 30_000)

  it('can be compared from any path on', async () => {
    const head = edited([
      { at: 100, count: 4000, kind: 'mode' },
      { at: 300, count: 700, kind: 'add' },
    ])
    const root = store.build(head.values())
    for (const from of ['', 'a/0/0', 'c', 'c/22/2022', 'c/22/2022/', 'e/9', 'zz']) {
      expect((await run(store, wholeRoot, root, from)).rows).toEqual(expected(whole, head, from))
    }
  })

  it('open a page only where it differs', async () => {
    const head = store.build(
      edited([
        { at: 6000, count: 1, kind: 'mode' },
        { at: 11_000, count: 1, kind: 'add' },
      ]).values(),
    )
    store.opened.length = 0
    expect((await run(store, wholeRoot, head)).rows).toHaveLength(2)
    // A way of two or three pages to each of the two leaves, on both sides; the trees have some fifty leaves each.
    expect(store.opened.length).toBeLessThanOrEqual(12)
    store.opened.length = 0
    expect((await run(store, wholeRoot, wholeRoot)).rows).toEqual([])
    expect(store.opened).toEqual([])
  })

  it('are all added or all deleted where the other is empty', async () => {
    expect((await run(store, null, wholeRoot)).rows).toEqual(expected(new Map(), whole))
    expect((await run(store, wholeRoot, null)).rows).toEqual(expected(whole, new Map()))
    expect(await run(store, null, null)).toEqual({ rows: [], passed: 0 })
  })
})
