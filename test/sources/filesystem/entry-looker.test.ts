import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Warning } from '../../../src/events.ts'
import { TYPE_DIRECTORY, TYPE_FILE, TYPE_SYMLINK } from '../../../src/model/entry.ts'
import { EntryLooker } from '../../../src/sources/filesystem/entry-looker.ts'
import type { Listing } from '../../../src/sources/filesystem/listing.ts'
import { TreeScanner } from '../../../src/sources/filesystem/scan.ts'
import type { ScanPlan } from '../../../src/sources/source.ts'
import { optionsOf, pathsOf, planOf, type Scanned, scannedOf, temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)

/** A listing of the whole folder, and what looking at it finds. */
function listed(more: Partial<ScanPlan> = {}): { listing: Listing; look(): Scanned[]; looker: EntryLooker } {
  const plan = planOf(folder.path, more)
  const warnings: Warning[] = []
  const { listing, done } = new TreeScanner(plan, optionsOf(warnings)).list(1000)
  expect(done).toBe(true)
  const looker = new EntryLooker(plan, optionsOf(warnings))
  return { listing, looker, look: () => scannedOf(looker.look(listing)) }
}

describe('a listing', () => {
  it('leaves all but folders to be looked at', () => {
    mkdirSync(at('b/c'), { recursive: true })
    for (const name of ['a', 'b/x', 'b/c/y', 'd']) writeFileSync(at(name), 'x')
    symlinkSync('a', at('e'))
    const { listing, look } = listed()
    expect(listing.paths.split('\0')).toEqual(['a', 'b/c/y', 'b/x', 'd', 'e'])
    expect(pathsOf(scannedOf({ ...listing.batch }))).toEqual(['b', 'b/c'])
    expect(pathsOf(look())).toEqual(['a', 'b', 'b/c', 'b/c/y', 'b/x', 'd', 'e'])
  })

  it('leaves nothing where links are followed, since loops show only to who knows the folders above', () => {
    mkdirSync(at('b'))
    writeFileSync(at('b/x'), 'x')
    symlinkSync('..', at('b/up'))
    const { listing } = listed({ followSymlinks: true })
    expect(listing.paths).toBe('')
    expect(pathsOf(scannedOf(listing.batch))).toEqual(['b', 'b/up', 'b/x'])
  })
})

describe('between the listing and the look', () => {
  it('an entry that has gone is no part of the snapshot', () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'x')
    const { look, looker } = listed()
    rmSync(at('b'))
    expect(pathsOf(look())).toEqual(['a', 'c'])
    expect(looker.vanished).toBe(1)
  })

  it('a file that became a folder is entered', () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'x')
    const { look } = listed({ exclude: ['**/left-out'] })
    rmSync(at('b'))
    mkdirSync(at('b/inner'), { recursive: true })
    writeFileSync(at('b/inner/x'), 'xy')
    writeFileSync(at('b/left-out'), 'x')
    const found = look()
    expect(pathsOf(found)).toEqual(['a', 'b', 'b/inner', 'b/inner/x', 'c'])
    expect(found.map(({ type }) => type)).toEqual([TYPE_FILE, TYPE_DIRECTORY, TYPE_DIRECTORY, TYPE_FILE, TYPE_FILE])
    expect(found[3]).toMatchObject({ sizeBytes: 2, root: folder.path, prefixBytes: 0 })
  })

  it('a file that became a link is one', () => {
    writeFileSync(at('a'), 'x')
    const { look } = listed()
    rmSync(at('a'))
    symlinkSync('/etc', at('a'))
    expect(look()).toMatchObject([{ path: 'a', type: TYPE_SYMLINK, linkTarget: '/etc' }])
  })

  it('a folder that became a file leaves nothing below it', () => {
    mkdirSync(at('b'))
    writeFileSync(at('b/x'), 'x')
    const { look } = listed()
    rmSync(at('b'), { recursive: true })
    writeFileSync(at('b'), 'x')
    expect(look()).toMatchObject([{ path: 'b', type: TYPE_DIRECTORY }])
  })

  it('a root that went away makes all look gone, which is SOURCE_INCOMPLETE', () => {
    mkdirSync(at('root'))
    writeFileSync(at('root/a'), 'x')
    const plan = planOf(at('root'))
    const { listing } = new TreeScanner(plan, optionsOf([])).list(10)
    renameSync(at('root'), at('moved'))
    mkdirSync(at('root'))
    const looker = new EntryLooker(plan, optionsOf([], { onUnreadable: 'skip' }))
    expect(() => looker.look(listing)).toThrow(expect.objectContaining({ code: 'SOURCE_INCOMPLETE' }))
  })

  it('a file that was written has no fingerprint, by the time of the look', () => {
    writeFileSync(at('a'), 'x')
    utimesSync(at('a'), 1000, 1000)
    const { look } = listed()
    expect(look()[0]).toMatchObject({ fingerprint: [0n, 0n] })
  })

  it('an abort is noticed', () => {
    writeFileSync(at('a'), 'x')
    const { listing } = listed()
    const looker = new EntryLooker(planOf(folder.path), optionsOf([], { aborted: () => true }))
    expect(() => looker.look(listing)).toThrow(expect.objectContaining({ code: 'ABORTED' }))
  })
})
