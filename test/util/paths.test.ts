import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytesPath, comparePaths, isSafePath, latin1ToUser, userToLatin1 } from '../../src/util/paths.ts'

const latin1 = fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const pathLike = fc
  .array(fc.constantFrom('/', '.', '-', '0', 'a', '\x01', '\xff', '!'), { maxLength: 8 })
  .map((characters) => characters.join(''))

function compareBySegments(a: string, b: string): number {
  const left = a.split('/').map((segment) => Buffer.from(segment, 'latin1'))
  const right = b.split('/').map((segment) => Buffer.from(segment, 'latin1'))
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = Buffer.compare(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

describe('comparePaths', () => {
  it('puts what a folder holds right after it', () => {
    const paths = ['a', 'a/b', 'a/b/c', 'a/z', 'a!', 'a-b', 'a.b', 'ab', 'b', '\xe9', '\xff']
    expect(paths.toReversed().sort(comparePaths)).toEqual(paths)
  })

  it('compares segment by segment, by unsigned bytes', () => {
    fc.assert(
      fc.property(pathLike, pathLike, (a, b) => {
        expect(Math.sign(comparePaths(a, b))).toBe(Math.sign(compareBySegments(a, b)))
      }),
      { numRuns: 2000 },
    )
  })

  it('agrees with the comparison of bytes inside larger arrays', () => {
    fc.assert(
      fc.property(pathLike, pathLike, (a, b) => {
        const left = Buffer.from(`xx${a}/yy`, 'latin1')
        const right = Buffer.from(`x${b}!`, 'latin1')
        const order = compareBytesPath(left, 2, 2 + a.length, right, 1, 1 + b.length)
        expect(Math.sign(order)).toBe(Math.sign(comparePaths(a, b)))
      }),
    )
  })
})

describe('latin1ToUser and userToLatin1', () => {
  it('are inverse for any bytes', () => {
    fc.assert(
      fc.property(latin1, (path) => userToLatin1(latin1ToUser(path)) === path),
      { numRuns: 5000 },
    )
  })

  it('are plain UTF-8 for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = Buffer.from(text, 'utf8').toString('latin1')
        expect(userToLatin1(text)).toBe(bytes)
        expect(latin1ToUser(bytes)).toBe(text)
      }),
    )
  })

  it.each([
    ['a byte alone', [0xff], '\udcff'],
    ['a sequence cut short', [0x61, 0xe2, 0x82], 'a\udce2\udc82'],
    ['an overlong form', [0xc0, 0xaf], '\udcc0\udcaf'],
    ['an overlong form of three', [0xe0, 0x80, 0xaf], '\udce0\udc80\udcaf'],
    ['a surrogate in UTF-8', [0xed, 0xb3, 0xbf], '\udced\udcb3\udcbf'],
    ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
    ['valid text around', [0xc3, 0xa4, 0x80, 0xf0, 0x9f, 0x98, 0x80], 'ä\udc80😀'],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
  ])('keeps %s', (_, bytes, text) => {
    const path = Buffer.from(bytes).toString('latin1')
    expect(latin1ToUser(path)).toBe(text)
    expect(userToLatin1(text)).toBe(path)
  })

  it('makes U+FFFD of surrogates that stand for no byte', () => {
    expect(userToLatin1('\ud800')).toBe('\xef\xbf\xbd')
    expect(userToLatin1('\udc41')).toBe('\xef\xbf\xbd')
  })
})

describe('isSafePath', () => {
  it.each(['a', 'a/b', '...', 'a/..b', '.a/b.', 'a\\b', ' ', '\xff\n'])('takes %j', (path) => {
    expect(isSafePath(path)).toBe(true)
  })
  it.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/.', './a', '../a', 'a/../b', 'a\0', '\0'])(
    'refuses %j',
    (path) => {
      expect(isSafePath(path)).toBe(false)
    },
  )
})
