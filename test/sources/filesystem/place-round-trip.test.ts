import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Placer } from '../../../src/sources/filesystem/place.ts'
import { planOf, type Scanned, scan, temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)

describe('the round trip', () => {
  it('shows no difference to diff, nor to another scan', () => {
    mkdirSync(at('from/a/b'), { recursive: true })
    writeFileSync(at('from/a/b/file'), 'content')
    writeFileSync(at('from/a-b'), 'x'.repeat(100_000))
    linkSync(at('from/a-b'), at('from/a/b/same'))
    symlinkSync('../nowhere', at('from/a/link'))
    writeFileSync(Buffer.from(`${folder.path}/from/\xff\n`, 'latin1'), 'odd')
    chmodSync(at('from/a/b'), 0o500)
    chmodSync(at('from/a-b'), 0o6711)
    const { entries } = scan(planOf(at('from')))
    const into = new Placer({ kind: 'folder', root: at('to'), owner: true }, () => {})
    for (const entry of entries) place(into, entry)
    into.finishDirectories(entries.filter(({ type }) => type === 1).toReversed())
    expect(execFileSync('diff', ['-r', '--no-dereference', at('from'), at('to')], { encoding: 'utf8' })).toBe('')
    expect(scan(planOf(at('to'))).entries.map(comparable)).toEqual(entries.map(comparable))
    expect(statSync(at('to/a-b')).ino).toBe(statSync(at('to/a/b/same')).ino)
  })
})

function place(into: Placer, entry: Scanned): void {
  if (entry.path === 'a-b') into.link(entry, 'a/b/same')
  else if (entry.type === 1) into.makeDirectory(entry)
  else if (entry.type === 2) into.symlink(entry)
  else into.writeWhole(entry, [readFileSync(Buffer.from(`${entry.root}/${entry.path}`, 'latin1'))])
}

function comparable({ path, type, mode, uid, gid, mtimeNs, sizeBytes, linkTarget, linkGroup }: Scanned): unknown {
  return { path, type, mode, uid, gid, seconds: mtimeNs! / 1_000_000_000n, sizeBytes, linkTarget, linked: !!linkGroup }
}
