import { lstatSync, mkdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isName, otherCase, refuseOtherCase } from '../../../src/sources/filesystem/place-case.ts'
import { temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()

describe('names that differ in case', () => {
  it.each([
    ['a', 'A'],
    ['A', 'a'],
    ['aB', 'AB'],
    ['É1', 'é1'],
    ['1-2', undefined],
    ['\udcff', undefined],
  ])('of %s it is %s', (name, other) => {
    expect(otherCase(name)).toBe(other)
  })

  it('are other names, those in another form of the same letters are not', () => {
    expect(isName('a', 'A')).toBe(false)
    expect(isName('e\u0301', '\u00e9')).toBe(true)
  })

  it('are two folders where the file system says so', () => {
    for (const name of ['a', 'A']) {
      const path = `${folder.path}/${name}`
      mkdirSync(path)
      expect(() => refuseOtherCase(path, name, lstatSync(path, { bigint: true }))).not.toThrow()
    }
  })
})
