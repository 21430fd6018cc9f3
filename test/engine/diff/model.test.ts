/** What a diff says, applied to the listing of its base, must give the listing of its head: for any two trees. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Change, Entry } from '../../../src/engine/types/index.ts'
import type { SourceEntry } from '../../../src/sources/source.ts'
import { file, folder, listSource, MTIME, openEngine, symlink } from '../browse/browse-fixture.ts'

const name = fc.integer({ min: 0, max: 400 }).map((n) => `d${n % 7}/f${n}`)
const made = fc.record({
  kind: fc.constantFrom('file', 'file', 'file', 'folder', 'link'),
  text: fc.constantFrom('', 'a', 'bb'),
  mode: fc.constantFrom(0o644, 0o600),
  minutes: fc.integer({ min: 0, max: 2 }),
})
const tree = fc.dictionary(name, made, { maxKeys: 300, noNullPrototype: true })

function entriesOf(
  drawn: Readonly<Record<string, { kind: string; text: string; mode: number; minutes: number }>>,
): SourceEntry[] {
  return Object.entries(drawn).map(([path, { kind, text, mode, minutes }]) => {
    const modifiedAt = new Date(MTIME + minutes * 60_000)
    if (kind === 'link') return symlink(path, text)
    return kind === 'folder' ? folder(path, { mode }) : file(path, text, { mode, modifiedAt })
  })
}

function apply(listing: readonly Entry[], changes: readonly Change[]): Entry[] {
  const byPath = new Map(listing.map((entry) => [entry.path, entry]))
  for (const { path, type, before, after } of changes) {
    expect(byPath.get(path)).toEqual(before)
    expect(type === 'added').toBe(before === undefined)
    expect(type === 'deleted').toBe(after === undefined)
    if (after) byPath.set(path, after)
    else byPath.delete(path)
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

it('holds for random trees, and live as between snapshots', async () => {
  await fc.assert(
    fc.asyncProperty(tree, tree, fc.boolean(), async (before, after, isSmallChange) => {
      const source = listSource('s', entriesOf(before))
      await using engine = await openEngine([source])
      const base = (await engine.backup()).snapshot.id
      const next = isSmallChange ? { ...before, ...Object.fromEntries(Object.entries(after).slice(0, 2)) } : after
      source.list = entriesOf(next)
      const live = await engine.diff({ base, head: 'live', checksum: true })
      const head = (await engine.backup()).snapshot.id
      const found = await engine.diff({ base, head })
      const changes = await found.changes.toArray()
      const listing = async (snapshot: string): Promise<Entry[]> =>
        engine.entries({ snapshot, recursive: true }).toArray()
      const sorted = (await listing(head)).sort((a, b) => (a.path < b.path ? -1 : 1))
      expect(apply(await listing(base), changes)).toEqual(sorted)
      expect(await live.changes.toArray()).toEqual(changes)
      expect(live.totals).toEqual(found.totals)
    }),
    { numRuns: 25 },
  )
}, 30_000)
