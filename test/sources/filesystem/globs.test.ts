import fc from 'fast-check'
import { minimatch } from 'minimatch'
import { describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { checkGlob, GlobSet, Selection } from '../../../src/sources/filesystem/globs.ts'

const OPTIONS = { dot: true, nocomment: true, nonegate: true, platform: 'linux' } as const
const name = fc.constantFrom('a', 'b', '.a', 'a.js', '.js', 'b.min.js', 'x y', 'é', '#a', '!a', 'a.', 'js')
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
const quickGlob = fc.oneof(
  path,
  path.map((rest) => `**/${rest}`),
  path.map((rest) => `${rest}/**`),
  path.map((rest) => `**/${rest}/**`),
  fc.constantFrom(
    '*.js',
    '**/*.js',
    '**/*.min.js',
    '*.',
    '**/*.',
    '**',
    '**/*',
    '*',
    '*/*.js',
    '**/a/*.js',
    '{a,b}/**',
    '**/[a-b]',
  ),
)
const baseName = (text: string): string => text.slice(text.lastIndexOf('/') + 1)

describe('GlobSet', () => {
  it('matches as minimatch does, in its quick forms too', () => {
    fc.assert(
      fc.property(quickGlob, path, (glob, tested) => {
        const escaped = glob.replaceAll('!', '\\!')
        const set = new GlobSet([escaped])
        expect([glob, tested, set.matches(tested, baseName(tested))]).toEqual([
          glob,
          tested,
          minimatch(tested, escaped, OPTIONS),
        ])
      }),
      { numRuns: 5000 },
    )
  })

  it('matches if any glob does', () => {
    fc.assert(
      fc.property(fc.array(quickGlob, { maxLength: 5 }), path, (globs, tested) => {
        const expected = globs.some((glob) => minimatch(tested, glob, OPTIONS))
        expect(new GlobSet(globs).matches(tested, baseName(tested))).toBe(expected)
      }),
    )
  })

  it('takes a slash at the end of a glob for the folder', () => {
    expect(new GlobSet(['cache/']).matches('cache', 'cache')).toBe(true)
    expect(new GlobSet(['**/cache//']).matches('a/cache', 'cache')).toBe(true)
  })
})

describe('Selection', () => {
  it('enters only folders in which something may be included', () => {
    const selection = new Selection(['a/*/c.txt', 'b/**'], [])
    expect(['a', 'a/x', 'b', 'b/y/z'].map((folder) => selection.mayInclude(folder))).toEqual([true, true, true, true])
    expect(['c', 'a/x/y'].map((folder) => selection.mayInclude(folder))).toEqual([false, false])
  })

  it('knows folders of which all content is excluded', () => {
    const selection = new Selection([], ['**/cache/**', 'tmp/**', '**/*.js'])
    expect(selection.isEmptied('a/cache', 'cache')).toBe(true)
    expect(selection.isEmptied('tmp', 'tmp')).toBe(true)
    expect(selection.isEmptied('a/tmp', 'tmp')).toBe(false)
    expect(selection.excludes('tmp', 'tmp')).toBe(false)
  })
})

describe('checkGlob', () => {
  it.each(['**/*.tmp', 'a', '\\!a', '!(a|b)', 'a[!b]', 'a[]]', '{a,b}/**', 'x\\{', 'a(b', '#a', '+(a|b)', ' '])(
    'takes %j',
    (glob) => {
      expect(checkGlob('exclude', glob)).toBe(glob)
    },
  )

  it.each([
    ['', 'empty'],
    [7, 'must be a text'],
    [null, 'must be a text'],
    ['a'.repeat(65_537), 'at most 65536'],
    ['/etc/**', 'relative'],
    ['C:\\temp', 'relative'],
    ['../a', 'as a segment'],
    ['a/./b', 'as a segment'],
    ['!a', "begin with '!'"],
    ['a[b', "'['"],
    ['a/{b,c', "'{'"],
    ['+(a|b', "'('"],
    ['a\0b', 'NUL'],
    ['{a,b}'.repeat(20), 'alternatives'],
  ])('refuses %j', (glob, why) => {
    expect(() => checkGlob('exclude', glob)).toThrow(
      expect.toSatisfy(
        (error) => BackupError.is(error) && error.code === 'INVALID_OPTIONS' && error.message.includes(why),
      ),
    )
  })
})
