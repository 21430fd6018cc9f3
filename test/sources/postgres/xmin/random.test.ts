/**
 * Backups under random work: a range that is said to be unchanged must be, byte for byte. HOLDFAST_XMIN_ROUNDS sets how many
 * rounds (default 60; 1,000 take about two minutes). Rules that are broken on purpose must be caught by the same test.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CountedRange } from '../../../../src/sources/postgres/xmin/counted-ranges.ts'
import type { TableState } from '../../../../src/sources/postgres/xmin/incremental-state.ts'
import { startPostgres, type TestServer, testDatabase } from '../../../servers/postgres.ts'
import { cutInto, type Facts, randomOf, type Shot, World } from './world.ts'

const ROUNDS = Number(process.env.HOLDFAST_XMIN_ROUNDS ?? 60)
const BROKEN_ROUNDS = 400
type Rule = 'as it is' | 'only counts rows' | 'only looks at ages' | 'takes open transactions for ended'

let rule: Rule = 'as it is'
const asTheRuleSees = (rows: number, before: number, fresh: number): CountedRange => ({
  rows: rule === 'only looks at ages' ? before : rows,
  fresh: rule === 'only counts rows' ? 0 : fresh,
})
vi.mock('../../../../src/sources/postgres/xmin/decide.ts', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../../src/sources/postgres/xmin/decide.ts')>()
  return {
    ...real,
    isUnchanged: (previous: TableState, { rows, fresh }: CountedRange) => {
      const before = previous.ranges.reduce((sum, [, one]) => sum + one, 0)
      return real.isUnchanged(previous, asTheRuleSees(rows, before, fresh))
    },
    unchangedRanges: (previous: TableState, counted: readonly CountedRange[]) =>
      real.unchangedRanges(
        previous,
        counted.map(({ rows, fresh }, range) => asTheRuleSees(rows, previous.ranges[range]?.[1] ?? rows, fresh)),
      ),
  }
})
// Tables of a few pages are counted in several parts.
vi.mock('../../../../src/sources/postgres/xmin/counted-ranges.ts', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../../src/sources/postgres/xmin/counted-ranges.ts')>()
  return { ...real, partsOf: (pages: number) => real.partsOf(pages, 1) }
})

let server: TestServer
beforeAll(async () => {
  server = await startPostgres({
    settings: { max_prepared_transactions: '10', autovacuum: 'off', wal_writer_delay: '10ms' },
  })
})
afterAll(() => server?.stop())

interface Outcome {
  unchanged: number
  changed: number
  /** Ranges said to be unchanged that were not. */
  wrong: string[]
}

async function play(rounds: number, seed: number, stopAtFirst: boolean): Promise<Outcome> {
  const database = await testDatabase(server)
  const world = new World(database.url, randomOf(seed))
  const outcome: Outcome = { unchanged: 0, changed: 0, wrong: [] }
  try {
    await world.begin()
    let last = await world.shoot(cutInto((await world.shoot(undefined)).facts))
    for (let round = 0; round < rounds && !(stopAtFirst && outcome.wrong.length > 0); round++) {
      await world.work()
      const next = await world.shoot(
        rule === 'takes open transactions for ended' ? withLaterXmin(last.facts) : last.facts,
      )
      compare(last, next, outcome, round)
      last = next
    }
    return outcome
  } finally {
    await world.end()
    await database.drop()
  }
}

function compare(last: Shot, next: Shot, outcome: Outcome, round: number): void {
  for (const [path, { fingerprint, sha256 }] of next.ranges) {
    const before = last.ranges.get(path)
    const isSame = fingerprint !== undefined && fingerprint === before?.fingerprint
    if (!isSame) outcome.changed++
    else if (sha256 === before.sha256) outcome.unchanged++
    else outcome.wrong.push(`${path} in round ${round}`)
  }
}

/** As if every transaction below the newest had ended. */
function withLaterXmin(facts: Facts): Facts {
  const [database] = facts.databases as { incremental: { xmin: string } | null }[]
  if (!database?.incremental) return facts
  const incremental = { ...database.incremental, xmin: String(BigInt(database.incremental.xmin) + 8n) }
  return { ...facts, databases: [{ ...database, incremental }] } as unknown as Facts
}

describe('incremental reading', () => {
  it(`never leaves out what changed, in ${ROUNDS} rounds`, { timeout: 60_000 + ROUNDS * 1000 }, async () => {
    rule = 'as it is'
    const { unchanged, changed, wrong } = await play(ROUNDS, 20_261_121, false)
    expect(wrong).toEqual([])
    // And it does leave out, and does read.
    expect(unchanged).toBeGreaterThan(ROUNDS)
    expect(changed).toBeGreaterThan(ROUNDS / 2)
  })

  it.each<Rule>(['only counts rows', 'only looks at ages', 'takes open transactions for ended'])(
    'a rule that %s is caught',
    { timeout: 120_000 },
    async (broken) => {
      rule = broken
      expect((await play(BROKEN_ROUNDS, 7, true)).wrong).not.toEqual([])
    },
  )
})
