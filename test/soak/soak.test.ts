/** What `npm run soak` does for minutes, for some seconds. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Ground, localGround, s3Ground } from '../../scripts/soak/ground.ts'
import { actorsOf, SHORT } from '../../scripts/soak/plans.ts'
import { type SoakResult, soak } from '../../scripts/soak/soak.ts'
import { startS3 } from '../servers/s3.ts'

const KILLS = 6

async function soakFor(ground: Ground, folder: string, seed: number): Promise<SoakResult> {
  return await soak({
    ...SHORT,
    ground,
    folder,
    seed,
    actors: actorsOf(2),
    atLeast: { ms: 0, kills: KILLS, restores: 2 },
    atMostMs: 40_000,
    say: () => {},
  })
}

function expectNothingLost({ figures, checked, problems }: SoakResult, seed: number): void {
  const { kills, commits, restores } = figures
  expect({ seed, problems }).toEqual({ seed, problems: [] })
  expect(kills.backup + kills.restore + kills.prune).toBeGreaterThanOrEqual(KILLS)
  expect(commits).toBeGreaterThan(0)
  expect(restores).toBeGreaterThanOrEqual(2)
  expect(checked.exact).toBe(checked.staying)
  expect(checked.leftAfterPrune).toMatchObject({ packs: 0, openPrunes: 0, trash: 0 })
}

describe('processes that are killed at random while they back up, restore and prune at once lose nothing', () => {
  it('in a folder', async () => {
    const seed = Date.now() % 1_000_000
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'))
    try {
      expectNothingLost(await soakFor(localGround(join(folder, 'repository')), folder, seed), seed)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 120_000)

  it('in a bucket', async () => {
    const seed = Date.now() % 1_000_000
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'))
    const server = await startS3()
    const ground = await s3Ground(server)
    try {
      expectNothingLost(await soakFor(ground, folder, seed), seed)
    } finally {
      await ground.remove()
      rmSync(folder, { recursive: true, force: true })
      await server.stop()
    }
  }, 240_000)
})
