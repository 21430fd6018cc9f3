import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { typedNamesIn } from '../../../src/sources/filesystem/look.ts'

const LARGE = 2 ** 30

it('lists a large folder in parts, and finds the same as of a small one at once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-look-'))
  try {
    const odd = Buffer.from(`${folder}/f\u00f6lder\xff`, 'latin1')
    mkdirSync(odd)
    const inside = (name: string): Buffer => Buffer.concat([odd, Buffer.from(`/${name}`, 'latin1')])
    for (const name of ['b', 'a', '\xfe\x01', 'line\nbreak', 'ü']) writeFileSync(inside(name), '')
    mkdirSync(inside('\xe9t\xe9'))
    symlinkSync('a', inside('link'))
    for (let n = 0; n < 4_500; n++) writeFileSync(inside(`many ${n}`), '')
    const absolute = odd.toString('latin1')
    const found = typedNamesIn(absolute, LARGE)!
    expect(found).toEqual(typedNamesIn(absolute, 0))
    expect(found.names).toHaveLength(4_507)
    expect(found.names).toContain('\xfe\x01')
    expect(found.folders).toEqual(new Set(['\xe9t\xe9']))
    expect(typedNamesIn(`${folder}/gone`, LARGE)).toBeUndefined()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
