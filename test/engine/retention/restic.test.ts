/** Beside what restic answered, as scripts/record-restic-forget.ts recorded it. Differences: docs/retention.md. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyRetention } from '../../../src/engine/forget/retention.ts'
import { LISTS, NOW } from './lists.ts'
import { DIFFERENCES, RESTIC_LISTS, type Recorded, type ResticCase, type ResticList } from './restic-cases.ts'

function keptHere(name: ResticList, { retention }: ResticCase): string[] {
  const policy = { ...retention, timeZone: RESTIC_LISTS[name].timeZone }
  const { judged } = applyRetention(LISTS[name], policy, { now: new Date(NOW[name]) })
  const kept = judged.filter(({ keep }) => keep)
  return kept.map(({ snapshot: { createdAt, host } }) => `${createdAt.toISOString()} ${host}`).sort()
}

describe.each(Object.keys(RESTIC_LISTS) as ResticList[])('restic and %s', (name) => {
  const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'restic', `${name}.json`), 'utf8')) as Recorded
  const cases = RESTIC_LISTS[name].cases.map((each) => [each.flags.join(' '), each] as const)

  it.each(cases)('%s', (flags, each) => {
    expect(recorded.kept[flags]?.length).toBeGreaterThan(0)
    const extra = DIFFERENCES[`${name} ${flags}`] ?? []
    const here = keptHere(name, each)
    expect(here.filter((line) => !recorded.kept[flags]!.includes(line)).map((line) => line.slice(0, 10))).toEqual(extra)
    expect(recorded.kept[flags]!.filter((line) => !here.includes(line))).toEqual([])
  })

  it('was asked all of these', () => expect(Object.keys(recorded.kept)).toEqual(cases.map(([flags]) => flags)))
})
