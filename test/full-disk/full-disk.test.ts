/** What `npm run soak:disk` does to disks, for some seconds; and prunes of full disks, case by case. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type SmallDisk, smallDisk } from '../../scripts/full-disk/disk.ts'
import { fillDisks, VICTIMS } from '../../scripts/full-disk/full.ts'
import { commit, compareAll, openOn } from '../../scripts/full-disk/scene.ts'
import { noise } from '../../scripts/soak/noise.ts'
import { file } from '../faults/support.ts'

const MIB = 2 ** 20
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-full-disk-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Undefined, and said, where mounting is not ours to do. */
function diskOf(bytes: number): SmallDisk | undefined {
  try {
    return smallDisk(join(folder, 'disk'), bytes)
  } catch (error) {
    console.warn(`NOT TRIED on a full disk: no tmpfs can be mounted here. Run it as root. (${String(error)})`)
    return undefined
  }
}

it('disks that fill up lose nothing, leave nothing half-written, and what comes next goes on', async () => {
  const disk = diskOf(MIB)
  if (!disk) return
  disk.remove()
  const seed = Date.now() % 1_000_000
  const rounds = await fillDisks({ folder, seed, diskBytes: 16 * MIB, rounds: 1, say: () => {} })
  expect(rounds.map(({ victim }) => victim)).toEqual([...VICTIMS])
  expect({ seed, problems: rounds.flatMap(({ problems }) => problems) }).toEqual({ seed, problems: [] })
}, 60_000)

it('a prune of a full disk rewrites packs once there is room, and says until then what it left', async () => {
  const disk = diskOf(24 * MIB)
  if (!disk) return
  const [tree, repository] = [join(folder, 'tree'), join(disk.path, 'repository')]
  const engine = await openOn(repository, tree, { workers: 'inline' })
  try {
    const half = (seed: number) => {
      for (let n = 0; n < 16; n += 2) file(join(tree, `file-${n}`), noise(MIB / 4, 100 * seed + n))
    }
    for (let n = 0; n < 16; n++) file(join(tree, `file-${n}`), noise(MIB / 4, n))
    const old = await commit(engine, tree)
    half(1)
    const kept = await commit(engine, tree)
    expect(statSync(join(repository, '.reserve')).size).toBe(MIB)
    const forget = await engine.planForget({ snapshots: [old.id] })
    await engine.forget(forget, { confirm: forget.digest })
    const prune = async () => {
      const plan = await engine.planPrune({ keepDeletedMs: 0 })
      return await engine.prune(plan, { confirm: plan.digest })
    }
    disk.fill()
    const first = await prune()
    expect(first.warnings.map(({ code }) => code)).toContain('PRUNE_NO_ROOM')
    expect(first.rewritten.packs).toBe(0)
    expect(await compareAll(engine, [kept], join(folder, 'aside'))).toEqual([])
    expect((await engine.verify({ level: 'data' })).sound).toBe(true)
    disk.clear()
    const second = await prune()
    expect(second.rewritten.packs).toBeGreaterThan(0)
    expect(second.freedBytes).toBeGreaterThan(MIB)
    expect(await compareAll(engine, [kept], join(folder, 'aside'))).toEqual([])
    expect(statSync(join(repository, '.reserve')).size).toBe(MIB)
  } finally {
    await engine.close()
    disk.remove()
  }
}, 60_000)

it('a full disk whose reserve is gone says what has to be done first', async () => {
  const disk = diskOf(16 * MIB)
  if (!disk) return
  const [tree, repository] = [join(folder, 'tree'), join(disk.path, 'repository')]
  const engine = await openOn(repository, tree, { workers: 'inline' })
  try {
    file(join(tree, 'file'), noise(2 * MIB, 1))
    const { id } = await commit(engine, tree)
    rmSync(join(repository, '.reserve'))
    disk.fill()
    const forget = await engine.planForget({ snapshots: [id] })
    await expect(engine.forget(forget, { confirm: forget.digest })).rejects.toMatchObject({
      code: 'TARGET_FULL',
      hint: expect.stringMatching(/free 1 MiB/),
    })
    disk.clear()
    await engine.forget(forget, { confirm: forget.digest })
  } finally {
    await engine.close()
    disk.remove()
  }
}, 60_000)
