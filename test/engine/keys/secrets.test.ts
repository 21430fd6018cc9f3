/** What people type, what files hold, and what services answer. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { BackupError, keyProvider, passphrase, rawKey } from '../../../src/index.ts'
import { cheapKey, recoveryText, secretOf } from '../../../src/repository/key-slots-key.ts'
import { ANN, codeOf, freshTarget, keysBelow, open, using } from './support.ts'

const thrown = (run: () => unknown): { code: string; message: string; details: Record<string, unknown> } => {
  try {
    run()
  } catch (error) {
    if (BackupError.is(error)) return error as never
  }
  throw new Error('nothing was thrown')
}

describe('a passphrase', () => {
  it('is the same however its letters are composed; blanks within and around count', async () => {
    const target = freshTarget()
    await using(target, cheapKey(passphrase(' Grüße ﬁn ')), async (engine) => engine.backup())
    const opens = (text: string): Promise<string> => codeOf(using(target, passphrase(text), async () => {}))
    expect(await opens(' Grüße ﬁn '.normalize('NFD'))).toBe('resolved')
    expect(await opens(' Grüße fin ')).toBe('resolved')
    expect(await opens('Grüße fin')).toBe('KEY_WRONG')
    expect(await opens(' Grüße fin \n')).toBe('KEY_WRONG')
    expect(await opens(' grüße fin ')).toBe('KEY_WRONG')
  })

  it('is never empty, blank, cut in two, or something else', () => {
    for (const text of [undefined, '', ' ', '\n', '\t \r\n', '\u00a0']) {
      expect(thrown(() => passphrase(text)).code).toBe('KEY_MISSING')
    }
    expect(thrown(() => passphrase('lock \ud83d')).code).toBe('INVALID_OPTIONS')
    for (const other of [5, null, {}, ['a']])
      expect(thrown(() => passphrase(other as never)).code).toBe('INVALID_OPTIONS')
  })
})

describe('a raw key', () => {
  const bytes = new Uint8Array(32).map((_, i) => i * 7)
  const hex = Buffer.from(bytes).toString('hex')

  it('reads the file that it was put into', () => {
    const same = (text: string): void =>
      expect(secretOf(rawKey(text))).toMatchObject({ kind: 'raw', bytes: new Uint8Array(bytes) })
    for (const text of [hex, hex.toUpperCase(), Buffer.from(bytes).toString('base64'), recoveryText(bytes)]) {
      for (const around of ['', '\n', '\r\n']) same(`${text}${around}`)
    }
    same(`  ${hex} `)
    same(Buffer.from(bytes).toString('base64url'))
    same(recoveryText(bytes).replaceAll(' ', '').toLowerCase())
    same(recoveryText(bytes).replaceAll(' ', '\n'))
  })

  it('that is wrong is told in a way that fits, and never shown', () => {
    expect(thrown(() => rawKey('\n')).code).toBe('KEY_MISSING')
    expect(thrown(() => rawKey(hex.slice(1))).message).toMatch(/64 digits, this one has 63/)
    const sheet = recoveryText(bytes).split(' ')
    const mistyped = [...sheet]
    mistyped[4] = `${sheet[4]!.slice(0, 2)}${sheet[4]![2] === '7' ? '8' : '7'}${sheet[4]!.slice(3)}`
    const error = thrown(() => rawKey(mistyped.join(' ')))
    expect(error.details).toEqual({ groups: [5] })
    for (const text of [hex.slice(1), `${hex}00`, 'x'.repeat(64), mistyped.join(' ')]) {
      const shown = inspect(
        thrown(() => rawKey(text)),
        { depth: 9 },
      )
      expect(shown).not.toContain(text.slice(0, 12))
    }
    for (const length of [0, 31, 33, 64])
      expect(thrown(() => rawKey(new Uint8Array(length))).code).toBe('INVALID_OPTIONS')
  })

  it('any one wrong character, and any two neighbours or groups that are swapped, show in their own group', () => {
    const sheet = recoveryText(bytes)
    const groups = sheet.split(' ')
    const faults = (text: string[]): unknown => thrown(() => rawKey(text.join(' '))).details.groups
    for (const [g, group] of groups.entries()) {
      for (let at = 0; at < 5; at++) {
        for (const char of '0Z9') {
          if (group[at] === char) continue
          const wrong = groups.with(g, `${group.slice(0, at)}${char}${group.slice(at + 1)}`)
          expect(faults(wrong)).toEqual([g + 1])
        }
        if (at < 4 && group[at] !== group[at + 1]) {
          const swapped = `${group.slice(0, at)}${group[at + 1]}${group[at]}${group.slice(at + 2)}`
          expect(faults(groups.with(g, swapped))).toEqual([g + 1])
        }
      }
      if (g > 0) expect(faults(groups.with(g, groups[g - 1]!).with(g - 1, group))).toEqual([g, g + 1])
    }
  })
})

describe('a provider', () => {
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x5a)
  const id = 'kms:1'
  const wrap = async (key: Uint8Array): Promise<Uint8Array> => flip(key)

  it('that cannot undo what it has done makes no repository and no slot', async () => {
    const wrong = {
      'gives other bytes': keyProvider({ id, wrap, unwrap: async () => new Uint8Array(32).fill(3) }),
      'gives too few': keyProvider({ id, wrap, unwrap: async (bytes) => flip(bytes).subarray(1) }),
      'gives text': keyProvider({ id, wrap, unwrap: (async () => 'x'.repeat(32)) as never }),
      'may only wrap': keyProvider({ id, wrap, unwrap: () => Promise.reject(new Error('AccessDenied')) }),
      'throws at once': keyProvider({
        id,
        wrap,
        unwrap: () => {
          throw new Error('no client')
        },
      }),
      'gives too much': keyProvider({ id, wrap: async () => new Uint8Array(20_000), unwrap: async (b) => b }),
    }
    const known = freshTarget()
    await using(known, ANN, async (engine) => {
      for (const [what, key] of Object.entries(wrong)) {
        const target = freshTarget()
        expect(await codeOf(open(target, key)), what).toBe('KEY_PROVIDER_FAILED')
        expect(target.objects.size, what).toBe(0)
        expect(await codeOf(engine.keys.add(key, { label: 'kms' })), what).toBe('KEY_PROVIDER_FAILED')
      }
    })
    expect(keysBelow(known, 'keys/')).toHaveLength(1)
  })

  it('that does not answer can be called off, and hears of it', async () => {
    const target = freshTarget()
    await using(target, keyProvider({ id, wrap, unwrap: wrap }), async (engine) => engine.backup())
    const heard = Promise.withResolvers<void>()
    const slow = keyProvider({
      id,
      wrap,
      unwrap: (_, { signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            heard.resolve()
            reject(new Error('called off'))
          })
        }),
    })
    expect(await codeOf(open(target, slow, { signal: AbortSignal.timeout(20) }))).toMatch(/ABORTED|TIMEOUT/)
    await heard.promise
    await using(target, keyProvider({ id, wrap, unwrap: wrap }), async (engine) => {
      const mute = keyProvider({ id: 'kms:2', wrap: () => new Promise(() => {}), unwrap: wrap })
      expect(await codeOf(engine.keys.add(mute, { label: 'mute', timeoutMs: 20 }))).toBe('TIMEOUT')
      expect(await engine.keys.list()).toHaveLength(1)
      expect(await codeOf(engine.keys.rotate())).toBe('resolved')
    })
    expect(keysBelow(target, 'keys/')).toHaveLength(1)
  })

  it('whose error says too much is quoted by nobody but the cause', async () => {
    const target = freshTarget()
    const lines: unknown[] = []
    const log = (...said: unknown[]): void => void lines.push(said)
    const logger = { debug: log, info: log, warn: log, error: log }
    const loud = keyProvider({ id, wrap: () => Promise.reject(new Error('token=hunter2')), unwrap: wrap })
    const engine = await open(target, ANN, { logger })
    engine.on('keys:error', (event) => lines.push(JSON.stringify(event)))
    const error = await engine.keys.add(loud, { label: 'kms' }).catch((e: unknown) => e)
    expect(String((error as { cause: unknown }).cause)).toContain('hunter2')
    const said = JSON.stringify([await engine.history.list().toArray(), lines, error])
    expect(said).toContain('KEY_PROVIDER_FAILED')
    expect(said).not.toContain('hunter2')
    await engine.close()
  })
})
