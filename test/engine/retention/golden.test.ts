/**
 * Policies over generated lists, as files to be read: golden/<list>.<policy>.json. After a change that is meant,
 * HOLDFAST_GOLDEN=write writes them anew; then read what has changed.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyRetention, type Judged } from '../../../src/engine/forget/retention.ts'
import { LISTS, type ListName, NOW } from './lists.ts'
import { POLICIES } from './policies.ts'

const FOLDER = join(import.meta.dirname, 'golden')
/** Of these there are hundreds; they are counted. */
const PLAIN = 'no rule wants it'

function line({ snapshot: { createdAt, host, complete, schedule }, reasons }: Judged): string {
  const marks = [complete ? '' : ' incomplete', schedule === undefined ? '' : ` ${schedule}`].join('')
  return `${createdAt.toISOString()} ${host}${marks}: ${reasons.join('; ')}`
}

function outcome(name: keyof typeof POLICIES): object {
  const list = name.split('.')[0] as ListName
  const policy = POLICIES[name]!
  const { judged, future, guarded } = applyRetention(LISTS[list], policy, { now: new Date(NOW[list]) })
  const groups = Map.groupBy(judged, ({ group }) => group)
  const kept = [...groups].sort().map(([group, members]) => [group, members.filter(({ keep }) => keep).map(line)])
  const forgotten = judged.filter(({ keep }) => !keep)
  const special = forgotten.filter(({ reasons }) => reasons.join() !== PLAIN)
  return {
    list,
    now: NOW[list],
    policy,
    kept: Object.fromEntries(kept),
    forgotten: { [PLAIN]: forgotten.length - special.length, others: special.map(line) },
    ...(future.length > 0 && { future }),
    ...(guarded.length > 0 && { guarded }),
  }
}

describe('retention, golden', () => {
  it.each(Object.keys(POLICIES) as (keyof typeof POLICIES)[])('%s', (name) => {
    const text = `${JSON.stringify(outcome(name), null, 2)}\n`
    const path = join(FOLDER, `${name}.json`)
    if (process.env.HOLDFAST_GOLDEN === 'write') {
      mkdirSync(FOLDER, { recursive: true })
      writeFileSync(path, text)
    }
    expect(text).toBe(readFileSync(path, 'utf8'))
  })

  it('has a file for each policy, and no other', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(
      Object.keys(POLICIES)
        .map((name) => `${name}.json`)
        .sort(),
    )
  })
})
