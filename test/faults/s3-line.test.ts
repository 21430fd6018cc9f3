/** Backups, checks and restores over a bad line to a real gateway: each kind of fault in one of ten requests, and all. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BadLine, type Outcome, overBadLine } from '../../scripts/reliability/bad-line.ts'
import { ALL_TOGETHER, LINES } from '../../scripts/reliability/lines.ts'
import { startS3, type TestS3 } from '../servers/s3.ts'

let server: TestS3
beforeAll(async () => {
  server = await startS3()
}, 200_000)
afterAll(() => server?.stop())

const tree = { files: 200, smallBytes: 4000, large: 2, largeBytes: 1_500_000 }
const tried = (line: BadLine): Promise<Outcome> =>
  overBadLine(server, line, { tree, seed: 4, hurry: 20, requestTimeoutMs: 500 })

describe('one of ten requests', () => {
  it.for(LINES.map((line) => [line.name, line] as const))(
    'meets: %s; all is stored, found sound and restored',
    {
      timeout: 60_000,
    },
    async ([, line]) => {
      const { faults, retries, missed, snapshots, sound, differences } = await tried(line)
      expect({ missed, snapshots, sound, differences }).toEqual({
        missed: false,
        snapshots: 2,
        sound: true,
        differences: [],
      })
      expect(faults).toBeGreaterThan(4)
      expect(retries).toBeGreaterThan(0)
    },
  )
})

describe('nearly every second request', () => {
  it('fails in one way or another; what is asked for again gets done', { timeout: 90_000 }, async () => {
    const { requests, faults, missed, snapshots, sound, differences } = await tried(ALL_TOGETHER)
    expect({ missed, snapshots, sound, differences }).toEqual({
      missed: false,
      snapshots: 2,
      sound: true,
      differences: [],
    })
    expect(faults / requests).toBeGreaterThan(0.3)
  })
})
