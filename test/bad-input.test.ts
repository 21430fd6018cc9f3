/** What people and storage get wrong: each has its own code, says what to do, and leaves everything as it was. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  BackupEngine,
  filesystem,
  localTarget,
  memoryTarget,
  passphrase,
  rawKey,
  type Target,
  wrapTarget,
} from '../src/index.ts'
import { expectRefused, made, stateOf } from './bad-input-support.ts'
import { file as fileOnDisk, KEY, keysBelow, look, makeTree, openOn, scratch } from './faults/support.ts'
import { unprivileged } from './sources/filesystem/temporary.ts'

const space = scratch()
const source = (): string => space.at('source')

describe('opening', () => {
  const open = (target: Target, key: Parameters<typeof openOn>[2]): Promise<BackupEngine> =>
    openOn(target, source(), key)

  it('with a wrong key or a wrong passphrase', async () => {
    const { target } = await made(source())
    const before = stateOf(target)
    await expectRefused(
      open(target, { key: rawKey(new Uint8Array(32).fill(8)) }),
      'KEY_WRONG',
      /Check the (key|passphrase)/,
    )
    await expectRefused(open(target, { key: passphrase('another') }), 'KEY_WRONG', /Check the passphrase/)
    await expectRefused(open(target, { key: 'none' }), 'KEY_MISSING', /Give its key/)
    expect(stateOf(target)).toEqual(before)
    expect(() => passphrase(undefined)).toThrow(
      expect.objectContaining({ code: 'KEY_MISSING', hint: expect.stringMatching(/Set the variable/) }),
    )
  })

  it('where no repository is', async () => {
    const target = memoryTarget()
    await expectRefused(open(target, { create: 'never' }), 'REPOSITORY_NOT_FOUND', /create: 'if-empty'/)
    expect(target.objects.size).toBe(0)
    const path = space.at('nowhere')
    await expectRefused(open(localTarget(path), { create: 'never' }), 'REPOSITORY_NOT_FOUND', /Check the place/)
    expect(existsSync(path)).toBe(false)
  })

  it('in a folder of something else', async () => {
    fileOnDisk(space.at('foreign', 'letters', 'to-my-aunt.txt'), 'Dear aunt')
    const before = look(space.at('foreign'))
    await expectRefused(open(localTarget(space.at('foreign')), {}), 'REPOSITORY_FOREIGN', /Choose an empty folder/)
    expect(look(space.at('foreign'))).toEqual(before)
  })

  it('of a newer format', async () => {
    const { target } = await made(source())
    const text = Buffer.from(target.objects.get('config/00000001')!).toString('latin1')
    await target.put('config/00000001', new Uint8Array(Buffer.from(text.replace('config 1', 'config 2'), 'latin1')))
    await expectRefused(open(target, {}), 'FORMAT_UNSUPPORTED', /newer|[Uu]pdate|version/)
  })

  it.each([
    ['damaged', 'CONFIG_TAMPERED'],
    ['cut', 'CONFIG_TAMPERED'],
    ['missing', 'OBJECT_MISSING'],
  ] as const)('with a %s config', async (how, code) => {
    const { target } = await made(source())
    const bytes = target.objects.get('config/00000001')!
    if (how === 'missing') await target.delete(['config/00000001'])
    else
      await target.put(
        'config/00000001',
        how === 'cut' ? bytes.slice(0, 100) : bytes.map((byte, i) => (i === 120 ? byte ^ 1 : byte)),
      )
    await expectRefused(open(target, {}), code, /copy of the repository/)
  })

  it('with a damaged or missing key slot', async () => {
    const { target } = await made(source())
    const [slot] = keysBelow(target, 'keys/') as [string]
    const bytes = target.objects.get(slot)!
    await target.put(slot, bytes.slice(0, 50))
    await expectRefused(open(target, {}), 'KEY_SLOT_CORRUPT', /copy/)
    await target.delete([slot])
    await expectRefused(open(target, {}), 'OBJECT_MISSING', /keys\//)
  })
})

describe('a backup', () => {
  it('into a target that is full', async () => {
    makeTree(source(), 3_000_000)
    const target = memoryTarget({ maxBytes: 1_000_000 })
    const engine = await openOn(target, source())
    const before = stateOf(target)
    await expectRefused(engine.backup(), 'TARGET_FULL', /space|larger|room|free/i)
    expect(stateOf(target)).toEqual(before)
    await engine.close()
  })

  it('of a source that is not there, or vanishes', async () => {
    const { target } = await made(source())
    const before = stateOf(target)
    const engine = await openOn(target, source())
    rmSync(source(), { recursive: true })
    await expectRefused(engine.backup(), 'SOURCE_NOT_FOUND', /Check the path/)
    expect(stateOf(target)).toEqual(before)
    await engine.close()
  })

  it('of files that may not be read', async () => {
    const { target } = await made(source())
    fileOnDisk(space.at('source', 'secret'), 'x', 0o600)
    const before = stateOf(target)
    const { chmodSync } = await import('node:fs')
    for (const path of [space.path, source(), space.at('source', 'hollow')]) chmodSync(path, 0o755)
    await unprivileged(async () => {
      const engine = await openOn(target, source())
      await expectRefused(engine.backup(), 'SOURCE_DENIED', /right to read/)
      await engine.close()
    })
    expect(stateOf(target)).toEqual(before)
  })

  it('with an unknown option, or a bad one', async () => {
    const { target } = await made(source())
    const before = [...target.objects.keys()]
    const engine = await openOn(target, source())
    await expectRefused(engine.backup({ tag: ['x'] } as never), 'INVALID_OPTIONS', /tag/)
    await expectRefused(engine.backup({ tags: 'x' } as never), 'INVALID_OPTIONS', /tags/)
    await expectRefused(engine.backup({ maxSourceBytes: undefined } as never), 'INVALID_OPTIONS', /maxSourceBytes/)
    await expectRefused(engine.backup({ sources: ['other'] }), 'INVALID_OPTIONS', /other/)
    expect([...target.objects.keys()]).toEqual(before)
    await engine.close()
    await expectRefused(
      BackupEngine.open({ target, key: KEY, sources: [], nonsense: 1 } as never),
      'INVALID_OPTIONS',
      /nonsense/,
    )
  })

  it('with a bad glob', async () => {
    const refused = (exclude: unknown): unknown => {
      try {
        return filesystem({ name: 'data', path: source(), exclude: [exclude as string] })
      } catch (error) {
        return error
      }
    }
    for (const glob of ['', 7, '/absolute/**', 'a'.repeat(100_000), `${'{a,b}'.repeat(20)}`]) {
      expect(refused(glob), String(glob).slice(0, 50)).toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/exclude/),
      })
    }
  })

  it('whose target keeps what it says it stored to itself', async () => {
    makeTree(source(), 100_000)
    const inner = memoryTarget()
    const forgetful = wrapTarget(inner, {
      put: async (key: string, body: Uint8Array<ArrayBuffer>, call?: object) =>
        key.startsWith('packs/') ? true : inner.put(key, body, call),
    })
    const engine = await openOn(forgetful, source())
    await expectRefused(engine.backup(), 'TARGET_PROTOCOL', /Nothing was committed/)
    expect(keysBelow(inner, 'snapshots/')).toEqual([])
    await engine.close()
  })
})

describe('a restore', () => {
  it('to where nothing may be written', async () => {
    const { target, snapshot } = await made(source())
    const { chmodSync } = await import('node:fs')
    chmodSync(space.path, 0o755)
    mkdirSync(space.at('closed'), { mode: 0o555 })
    await unprivileged(async () => {
      const engine = await openOn(target, source())
      const plan = await engine.planRestore({ snapshot, to: { folder: space.at('closed', 'in') } })
      await expectRefused(engine.restore(plan), 'RESTORE_DENIED', /right|permission|write/i)
      await engine.close()
    })
    expect(readdirSync(space.at('closed'))).toEqual([])
  })

  it('to where something is already', async () => {
    const { target, snapshot } = await made(source())
    fileOnDisk(space.at('to', 'data', 'theirs'), 'theirs')
    const before = look(space.at('to'))
    const engine = await openOn(target, source())
    await expectRefused(
      engine.planRestore({ snapshot, to: { folder: space.at('to') } }),
      'RESTORE_CONFLICT',
      /empty folder/,
    )
    expect(look(space.at('to'))).toEqual(before)
    const plan = await engine.planRestore({ snapshot, to: { folder: space.at('later') } })
    fileOnDisk(space.at('later', 'data', 'came'), 'meanwhile')
    await expectRefused(engine.restore(plan), 'PLAN_STALE', /new plan/)
    expect(Object.keys(look(space.at('later')))).toEqual(['data', 'data/came'])
    await engine.close()
  })

  it('with a plan that was changed, of another repository, or of a snapshot that is gone', async () => {
    const { target, snapshot } = await made(source())
    const engine = await openOn(target, source())
    const plan = await engine.planRestore({ snapshot, to: { folder: space.at('to') } })
    const elsewhere = { ...plan, request: { ...(plan.request as object), folder: '/tmp/elsewhere' } }
    await expectRefused(engine.restore(elsewhere), 'PLAN_STALE', /new plan/)
    const other = await openOn(memoryTarget(), source())
    await expectRefused(other.restore(plan), 'PLAN_FOREIGN', /repository/)
    await target.delete([`snapshots/${snapshot}`])
    await expectRefused(engine.restore(plan), 'PLAN_STALE', /gone/)
    expect(existsSync(space.at('to'))).toBe(false)
    await other.close()
    await engine.close()
  })

  it('of a snapshot, or entries, that are not there', async () => {
    const { target, snapshot } = await made(source())
    const engine = await openOn(target, source())
    const to = { folder: space.at('to') }
    await expectRefused(
      engine.planRestore({ snapshot: '20200101t000000000-aaaaaaaaaa', to }),
      'SNAPSHOT_NOT_FOUND',
      /snapshot/,
    )
    await expectRefused(
      engine.planRestore({ snapshot, to, select: { include: ['data/nothing-like-it'] } }),
      'ENTRY_NOT_FOUND',
      /nothing-like-it/,
    )
    await expectRefused(
      engine.planRestore({ snapshot, to, select: { sources: ['other'] } }),
      'ENTRY_NOT_FOUND',
      /other/,
    )
    await engine.close()
  })
})
