import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { applyChange } from '../bench/change.ts'
import { cachedTree, generateTree, treeOptions } from '../bench/data.ts'

const TINY = { files: 600, bytes: 6_000_000, seed: 7 }
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-test-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** By path: what the entry is, with mode, time and content. */
function describeTree(root: string): Map<string, string> {
  const seen = new Map<string, string>()
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mode, mtimeMs, nlink } = lstatSync(path)
    const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
    if (entry.isSymbolicLink()) seen.set(relative(root, path), `link ${readlinkSync(path)}`)
    else if (entry.isDirectory()) seen.set(relative(root, path), `folder ${mode}`)
    else seen.set(relative(root, path), `${mode} ${mtimeMs} ${nlink} ${content}`)
  }
  return seen
}

const contentOf = (line: string | undefined): string | undefined => line?.split(' ').at(-1)

describe('the generated tree', () => {
  const [one, two] = [join(scratch, 'one'), join(scratch, 'two')]
  generateTree(one, TINY)
  generateTree(two, TINY)
  const first = describeTree(one)

  it('is the same for the same seed, to the byte', () => {
    expect(describeTree(two)).toEqual(first)
  })

  it('is another one for another seed', () => {
    const other = join(scratch, 'other')
    generateTree(other, { ...TINY, seed: 8 })
    expect([...describeTree(other).keys()].filter((path) => !first.has(path)).length).toBeGreaterThan(300)
  })

  it('has the number of files and the size that was asked for', () => {
    const lines = [...first.values()].filter((line) => !line.startsWith('folder'))
    expect(lines.length).toBe(TINY.files)
    const files = [...first].filter(([path, line]) => !line.startsWith('link') && !path.startsWith('shared/'))
    const bytes = files.reduce(
      (sum, [path]) => sum + (lstatSync(join(one, path)).isFile() ? lstatSync(join(one, path)).size : 0),
      0,
    )
    expect(Math.abs(bytes / TINY.bytes - 1)).toBeLessThan(0.01)
  })

  it('holds copies, hard links and links', () => {
    const contents = [...first].filter(([path]) => /^copies.*\./.test(path)).map(([, line]) => contentOf(line))
    const originals = new Set([...first].filter(([path]) => path.startsWith('projects/')).map(([, l]) => contentOf(l)))
    expect(contents.length).toBe(30)
    expect(contents.every((content) => originals.has(content))).toBe(true)
    expect([...first.values()].filter((line) => line.startsWith('link')).length).toBe(3)
    expect(lstatSync(join(one, 'shared/0/0')).nlink).toBeGreaterThan(1)
  })

  it('changes by one file in a hundred, the same way each time', () => {
    const counts = [one, two].map((root) => applyChange(root, { seed: 3 }))
    const after = describeTree(one)
    expect(describeTree(two).keys()).toEqual(after.keys())
    const different = [...new Set([...first.keys(), ...after.keys()])].filter(
      (path) => !first.get(path)?.startsWith('folder') && contentOf(first.get(path)) !== contentOf(after.get(path)),
    )
    expect(counts[0]).toEqual(counts[1])
    expect(counts[0]?.files).toBe(597)
    expect(different.length).toBe(6)
  })
})

describe('the cached tree', () => {
  it('is made once and made again when it is incomplete', () => {
    const options = { files: 60, bytes: 100_000, seed: 2 }
    const tree = cachedTree(scratch, options)
    const { mtimeMs } = lstatSync(join(tree, '..', 'manifest.json'))
    expect(lstatSync(join(cachedTree(scratch, options), '..', 'manifest.json')).mtimeMs).toBe(mtimeMs)
    rmSync(join(tree, '..', 'manifest.json'))
    expect(describeTree(cachedTree(scratch, options)).size).toBeGreaterThan(60)
    expect(lstatSync(join(tree, '..', 'manifest.json')).isFile()).toBe(true)
  })

  it('refuses sizes that are no positive whole numbers', () => {
    expect(() => treeOptions({ files: 'many' })).toThrow('--files')
    expect(() => treeOptions({ bytes: '-1' })).toThrow('--bytes')
    expect(treeOptions({ smoke: true, seed: '9' })).toEqual({ files: 3_000, bytes: 60_000_000, seed: 9 })
  })
})
