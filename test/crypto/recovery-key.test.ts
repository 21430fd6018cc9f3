import { describe, expect, it } from 'vitest'
import { randomBytes } from '../../src/crypto/random.ts'
import { decodeRecoveryKey, encodeRecoveryKey } from '../../src/crypto/recovery-key.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

describe('a recovery key', () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 3)
  const text = encodeRecoveryKey(bytes)

  it('is 14 groups of five, and always the same', () => {
    expect(text).toBe('0C519 260ZT 4RPKQ 8ET2V 9585J EQK5B DHSQ4 N0C85 HYB9N V95BN PAWW0 1HYEW TQE0M C48CV')
  })

  it('comes back, however it is typed', () => {
    for (let i = 0; i < 50; i++) {
      const some = randomBytes(32)
      expect(decodeRecoveryKey(encodeRecoveryKey(some))).toEqual(some)
    }
    const careless = text.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')
    expect(decodeRecoveryKey(` ${careless.replaceAll(' ', '\n - ')}\n`)).toEqual(bytes)
    expect(decodeRecoveryKey(text.replaceAll(' ', ''))).toEqual(bytes)
  })

  it('names the group of any wrong sign, of two that are swapped, and of one too few', () => {
    for (let at = 0; at < text.length; at++) {
      if (text[at] === ' ') continue
      const group = Math.floor(at / 6) + 1
      for (const sign of ALPHABET) {
        if (sign === text[at]) continue
        expect(decodeRecoveryKey(text.slice(0, at) + sign + text.slice(at + 1))).toEqual({ groups: [group] })
      }
      expect(decodeRecoveryKey(text.slice(0, at) + text.slice(at + 1))).toEqual({ groups: [group] })
      const [a, b] = [text[at]!, text[at + 1] ?? ' ']
      if (b === ' ' || a === b) continue
      expect(decodeRecoveryKey(text.slice(0, at) + b + a + text.slice(at + 2))).toEqual({ groups: [group] })
    }
    expect(decodeRecoveryKey(text.replace(/^(\S+) (\S+)/, '$2 $1'))).toEqual({ groups: [1, 2] })
  })

  it('tells groups of two sheets, and a lack of groups', () => {
    const other = encodeRecoveryKey(randomBytes(32)).split(' ')
    expect(decodeRecoveryKey([...text.split(' ').slice(0, 13), other[13]].join(' '))).toEqual({ whole: true })
    expect(decodeRecoveryKey(text.slice(6))).toEqual({ found: 13 })
  })
})
