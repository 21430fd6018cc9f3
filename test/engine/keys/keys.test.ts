import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { BackupError, keyProvider, passphrase, rawKey, wrapTarget } from '../../../src/index.ts'
import { cheapKey } from '../../../src/repository/key-slots-key.ts'
import { ANN, BEN, CARLA, codeOf, freshTarget, keysBelow, open, using } from './support.ts'

describe('keys', () => {
  it('are listed with id, kind, label and date; the one that opened is marked', async () => {
    const target = freshTarget()
    await using(target, ANN, async (engine) => {
      const made = await engine.keys.add(BEN, { label: 'Ben', actor: 'ann' })
      expect(made).toMatchObject({ kind: 'raw', label: 'Ben', current: false })
      const listed = await engine.keys.list()
      expect(listed.map(({ label, current }) => [label, current])).toEqual([
        ['first', true],
        ['Ben', false],
      ])
      expect(listed.every(({ id, createdAt }) => /^[0-9a-f]{32}$/.test(id) && createdAt instanceof Date)).toBe(true)
      const [report] = await engine.history.list({ verbs: ['keys'] }).toArray()
      expect(report).toMatchObject({ verb: 'keys', actor: 'ann', options: { action: 'add', label: 'Ben' } })
    })
    await using(target, BEN, async (engine) =>
      expect((await engine.keys.list()).map((k) => k.current)).toEqual([false, true]),
    )
  })

  it('change in one step: the new one opens, the old one no longer, and the label stays', async () => {
    const target = freshTarget()
    await using(target, ANN, async (engine) => {
      const [own] = await engine.keys.list()
      const changed = await engine.keys.change(own!.id, cheapKey(passphrase('a better one')))
      expect(changed).toMatchObject({ label: 'first', kind: 'passphrase', current: true })
      expect(keysBelow(target, 'keys/')).toEqual([`keys/${changed.id}`])
      // The engine holds the new one now, and reads what is rotated after this.
      await engine.keys.rotate()
      await engine.backup()
    })
    expect(await codeOf(open(target, ANN))).toBe('KEY_WRONG')
    await using(target, passphrase('a better one'), async (engine) =>
      expect(await engine.snapshots().toArray()).toHaveLength(1),
    )
  })

  it('go one by one, but never the last sound one', async () => {
    const target = freshTarget()
    await using(target, ANN, async (engine) => {
      const [own] = await engine.keys.list()
      expect(await codeOf(engine.keys.remove(own!.id))).toBe('KEY_LAST')
      const ben = await engine.keys.add(BEN, { label: 'Ben' })
      await engine.keys.remove(ben.id)
      expect(await codeOf(engine.keys.remove(ben.id))).toBe('KEY_NOT_FOUND')
      const carla = await engine.keys.add(CARLA, { label: 'Carla' })
      target.objects.get(`keys/${carla.id}`)![120]! ^= 1
      expect(await codeOf(engine.keys.remove(own!.id)), 'the other one is damaged').toBe('KEY_LAST')
      await engine.keys.remove(carla.id)
    })
    expect(await codeOf(open(target, BEN))).toBe('KEY_WRONG')
    expect(await codeOf(open(target, CARLA))).toBe('KEY_WRONG')
    await using(target, ANN, async (engine) => expect(await engine.keys.list()).toHaveLength(1))
  })

  it('of two hosts that remove each other’s at once, one stays', async () => {
    for (let round = 0; round < 5; round++) {
      const target = freshTarget()
      const ann = await open(target, ANN)
      const slot = await ann.keys.add(BEN, { label: 'Ben' })
      const ben = await open(target, BEN)
      const [first] = await ann.keys.list()
      const codes = await Promise.all([codeOf(ann.keys.remove(slot.id)), codeOf(ben.keys.remove(first!.id))])
      expect(codes.sort()).toEqual(['KEY_LAST', 'resolved'])
      expect(keysBelow(target, 'keys/')).toHaveLength(1)
      const opened = await Promise.all([codeOf(open(target, ANN)), codeOf(open(target, BEN))])
      expect(opened.sort()).toEqual(['KEY_WRONG', 'resolved'])
    }
  })

  it('are all there when several hosts add at once', async () => {
    const target = freshTarget()
    const engines = [await open(target, ANN), await open(target, ANN), await open(target, ANN)]
    await Promise.all(
      engines.map((engine, i) => engine.keys.add(rawKey(new Uint8Array(32).fill(10 + i)), { label: `${i}` })),
    )
    for (let i = 0; i < 3; i++) {
      await using(target, rawKey(new Uint8Array(32).fill(10 + i)), async (engine) => {
        expect(await engine.keys.list()).toHaveLength(4)
        expect(await engine.keys.verify()).toEqual([])
      })
    }
    expect(keysBelow(target, 'keys/')).toHaveLength(4)
  })

  it('need options that make sense, an encrypted repository, and an open engine', async () => {
    const target = freshTarget()
    const engine = await open(target, ANN)
    expect(await codeOf(engine.keys.remove('x'))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.keys.add(BEN, {} as never))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.keys.add({ kind: 'raw' }, { label: 'x' }))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.keys.rotate({ rekey: true } as never))).toBe('INVALID_OPTIONS')
    const aborted = AbortSignal.abort()
    expect(await codeOf(engine.keys.add(BEN, { label: 'x', signal: aborted }))).toBe('ABORTED')
    await engine.close()
    expect(await codeOf(engine.keys.list())).toBe('ENGINE_CLOSED')
    expect(await codeOf(engine.keys.rotate())).toBe('ENGINE_CLOSED')
    await using(freshTarget(), 'none', async (plain) => {
      expect(await plain.keys.list()).toEqual([])
      expect(await plain.keys.verify()).toEqual([])
      expect(await codeOf(plain.keys.add(BEN, { label: 'x' }))).toBe('UNSUPPORTED')
      expect(await codeOf(plain.keys.rotate())).toBe('UNSUPPORTED')
    })
  })
})

describe('a key provider', () => {
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x5a)
  const kms = (id = 'kms:1') => keyProvider({ id, wrap: async (key) => flip(key), unwrap: async (key) => flip(key) })

  it('opens what it has wrapped, also after a rotation', async () => {
    const target = freshTarget()
    await using(target, kms(), async (engine) => {
      await engine.backup()
      expect(await engine.keys.list()).toMatchObject([{ kind: 'provider', provider: 'kms:1', current: true }])
      await engine.keys.rotate()
      await engine.backup()
    })
    await using(target, kms(), async (engine) => expect(await engine.snapshots().toArray()).toHaveLength(2))
    expect(await codeOf(open(target, kms('kms:2')))).toBe('KEY_WRONG')
  })

  it('that fails says so, with its own error as the cause; and nothing of it is shown', async () => {
    const target = freshTarget()
    await using(target, kms(), async (engine) => engine.backup())
    const cause = new Error('no network')
    const down = keyProvider({ id: 'kms:1', wrap: async (key) => key, unwrap: () => Promise.reject(cause) })
    const error = await open(target, down).catch((e: unknown) => e)
    expect(BackupError.is(error) && error.code).toBe('KEY_PROVIDER_FAILED')
    expect((error as BackupError).cause).toBe(cause)
    const other = keyProvider({ id: 'kms:1', wrap: async (key) => key, unwrap: async () => new Uint8Array(32) })
    expect(await codeOf(open(target, other))).toBe('KEY_WRONG')
    const short = keyProvider({ id: 'kms:1', wrap: async (key) => key, unwrap: async () => new Uint8Array(31) })
    expect(await codeOf(open(target, short))).toBe('KEY_PROVIDER_FAILED')
    expect(await codeOf(open(freshTarget(), other)), 'wraps nothing').toBe('KEY_PROVIDER_FAILED')
    expect(inspect(kms(), { depth: 9 })).toBe("{ kind: 'provider' }")
  })
})

describe('a recovery sheet', () => {
  it('opens the repository with what is printed, and says no more than it must', async () => {
    const target = freshTarget()
    const sheet = await using(target, ANN, async (engine) => {
      await engine.backup()
      const text = await engine.keys.recoverySheet()
      expect(text).toContain(engine.repositoryId)
      expect((await engine.keys.list()).map(({ label }) => label)).toEqual([
        'first',
        expect.stringMatching(/^recovery sheet of \d{4}-/),
      ])
      const reports = JSON.stringify(await engine.history.list().toArray())
      expect(reports).not.toContain(groupsOf(text)[0])
      return text
    })
    expect(Math.max(...sheet.split('\n').map((line) => line.length))).toBeLessThanOrEqual(72)
    const groups = groupsOf(sheet)
    expect(groups).toHaveLength(14)
    await using(target, rawKey(groups.join('  ').toLowerCase()), async (engine) => {
      expect(await engine.snapshots().toArray()).toHaveLength(1)
    })
    const wrong = [...groups]
    wrong[8] = wrong[8]!.startsWith('A') ? `B${wrong[8]!.slice(1)}` : `A${wrong[8]!.slice(1)}`
    expect(() => rawKey(wrong.join(' '))).toThrowError(/group 9 is mistyped/)
    const message = String(catching(() => rawKey(wrong.join(' '))))
    expect(message).not.toContain(wrong[8])
  })

  it.each([
    ['the folder', { localPath: '/mnt/vault' }, '/mnt/vault'],
    ['the name, without passwords', { name: 'https://me:secret@vault.example/a?token=x' }, 'https://vault.example/a'],
  ])('says where the repository is: %s', async (_, what, where) => {
    await using(wrapTarget(freshTarget(), what), ANN, async (engine) => {
      expect(await engine.keys.recoverySheet()).toMatch(new RegExp(`^Stored at {5}${where}$`, 'm'))
    })
  })
})

function groupsOf(sheet: string): string[] {
  return sheet
    .split('\n')
    .filter((line) => /^ {4}[0-9A-Z]{5} /.test(line))
    .join(' ')
    .trim()
    .split(/\s+/)
}

function catching(body: () => unknown): unknown {
  try {
    return body()
  } catch (error) {
    return error
  }
}
