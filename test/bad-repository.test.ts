/** Damaged repositories, and ones that a dishonest writer made: refused, and nothing is left behind. */
import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import type { BackupError, SourceEntry } from '../src/index.ts'
import { expectRefused, made } from './bad-input-support.ts'
import { file, listSource, openEngine, symlink } from './engine/browse/browse-fixture.ts'
import { copyOf, keysBelow, look, type MemoryTarget, openOn, scratch } from './faults/support.ts'

// An honest writer refuses hostile paths: here one does not.
const honesty = vi.hoisted(() => ({ isHonest: true }))
vi.mock('../src/util/paths.ts', async (original) => {
  const real = await original<typeof import('../src/util/paths.ts')>()
  return { ...real, isSafePath: (path: string) => !honesty.isHonest || real.isSafePath(path) }
})

const space = scratch()
const source = (): string => space.at('source')

describe('objects of a repository that are', () => {
  const damage: Record<string, (target: MemoryTarget, key: string) => Promise<unknown>> = {
    damaged: (target, key) =>
      target.put(
        key,
        target.objects.get(key)!.map((byte, i) => (i === 150 ? byte ^ 4 : byte)) as Uint8Array<ArrayBuffer>,
      ),
    'cut short': (target, key) => target.put(key, target.objects.get(key)!.slice(0, 200) as Uint8Array<ArrayBuffer>),
    missing: (target, key) => target.delete([key]),
  }
  const restore = async (target: MemoryTarget, snapshot: string): Promise<void> => {
    const engine = await openOn(target, source())
    try {
      await engine.restore(await engine.planRestore({ snapshot, to: { folder: space.at('to') } }))
    } finally {
      await engine.close()
    }
  }

  it.each(Object.keys(damage))('%s: packs fail a restore, which leaves nothing', async (how) => {
    const { target, snapshot } = await made(source())
    for (const key of keysBelow(target, 'packs/')) {
      const copy = await copyOf(target)
      await damage[how]!(copy, key)
      const code = await restore(copy, snapshot).then(
        () => 'resolved',
        (error: BackupError) => `${error.code} ${error.details.object ?? error.details.key ?? ''}`,
      )
      expect(code).toMatch(
        /^(OBJECT_CORRUPT|OBJECT_MISSING|FORMAT_UNSUPPORTED|TARGET_PROTOCOL|TARGET_OBJECT_NOT_FOUND) packs\//,
      )
      expect(existsSync(space.at('to'))).toBe(false)
    }
  })

  it.each(Object.keys(damage))('%s: the index is said to lack the chunks', async (how) => {
    const { target, snapshot } = await made(source())
    for (const key of keysBelow(target, 'index/')) await damage[how]!(target, key)
    await expectRefused(restore(target, snapshot), 'OBJECT_MISSING', /verify/)
    expect(existsSync(space.at('to'))).toBe(false)
  })

  it('missing: a snapshot is one that is not there', async () => {
    const { target, snapshot } = await made(source())
    await target.delete([`snapshots/${snapshot}`])
    await expectRefused(restore(target, snapshot), 'SNAPSHOT_NOT_FOUND', /snapshots?/)
  })

  it('damaged: a snapshot is told apart from one that is not there', async () => {
    const { target, snapshot } = await made(source())
    await damage.damaged!(target, `snapshots/${snapshot}`)
    for (const ref of [snapshot, snapshot.slice(0, 22), 'latest']) {
      await expectRefused(restore(target, ref), 'OBJECT_CORRUPT', /older snapshot by its id/)
    }
  })

  it('damaged: the newest snapshot is not passed over in silence', async () => {
    const { target, snapshot } = await made(source())
    const engine = await openOn(target, source())
    const newer = await engine.backup()
    await engine.close()
    await damage.damaged!(target, `snapshots/${newer.snapshot.id}`)
    await expectRefused(restore(target, 'latest'), 'OBJECT_CORRUPT', /older snapshot by its id/)
    await restore(target, snapshot)
    expect(look(space.at('to', 'data'))).toEqual(look(source()))
  })
})

describe('a repository by a dishonest writer', () => {
  const hostile: [string, () => SourceEntry[]][] = [
    ['..', () => [file('../escaped', 'gotcha')]],
    ['.. in the middle', () => [file('a/../../escaped', 'gotcha')]],
    ['an absolute path', () => [file(space.at('escaped'), 'gotcha')]],
    ['an entry below a link', () => [symlink('link', space.path), file('link/escaped', 'gotcha')]],
    [
      'a folder below a link',
      () => [
        symlink('link', space.path),
        { path: 'link/escaped', type: 'directory' },
        file('link/escaped/x', 'gotcha'),
      ],
    ],
  ]
  it.each(hostile)('with %s does not leave the destination', async (_, entries) => {
    const engine = await openEngine([listSource('data', entries())])
    honesty.isHonest = false
    const { snapshot } = await engine.backup().finally(() => {
      honesty.isHonest = true
    })
    await expectRefused(
      engine.planRestore({ snapshot: snapshot.id, to: { folder: space.at('to') } }),
      'RESTORE_UNSAFE_PATH',
      /not made by an honest writer/,
    )
    // A plan of somebody who looks away does not help either.
    honesty.isHonest = false
    const made = await engine
      .planRestore({ snapshot: snapshot.id, to: { folder: space.at('to') } })
      .catch(() => undefined)
    honesty.isHonest = true
    if (made) await expect(engine.restore(made)).rejects.toMatchObject({ code: 'RESTORE_UNSAFE_PATH' })
    expect(existsSync(space.at('to'))).toBe(false)
    expect(readdirSync(space.path).filter((name) => name.includes('escaped'))).toEqual([])
    await engine.close()
  })
})
