/** Good snapshots and bad ones beside each other, case by case. */
import { describe, expect, it } from 'vitest'
import { applyRetention } from '../../../src/engine/forget/retention.ts'
import type { Retention } from '../../../src/engine/types/index.ts'
import { DAY, snapshot } from './lists.ts'

const START = Date.parse('2026-11-01T10:00:00Z')
const NOW = new Date(START + 30 * DAY)

/** A letter for each day: 'o' a good one, 'x' incomplete, 'd' damaged, '-' none. */
function kept(days: string, policy: Retention): string {
  const list = [...days].flatMap((what, n) =>
    what === '-'
      ? []
      : [
          snapshot(START + n * DAY, {
            complete: what !== 'x',
            ...(what === 'd' && { lastVerified: { level: 'data', sound: false } }),
          }),
        ],
  )
  const there = new Set<number>()
  for (const { snapshot: each, keep } of applyRetention(list, policy, { now: NOW }).judged)
    if (keep) there.add((each.createdAt.getTime() - START) / DAY)
  return [...days].map((what, n) => (there.has(n) ? what : '-')).join('')
}

describe('good and bad snapshots', () => {
  it.each<[string, Retention, string]>([
    ['oooooooxxxxxxx', { keepDaily: 3 }, '----ooo----xxx'],
    ['xxxxxxxooooooo', { keepDaily: 3 }, '-----------ooo'],
    ['xxxxxxxxxxxxxx', { keepDaily: 3 }, '-----------xxx'],
    ['oxoxoxoxoxoxox', { keepLast: 3 }, '--------oxoxox'],
    ['ooooooodoooooo', { keepDaily: 8 }, '-----oodoooooo'],
    ['oo------------xx', { keepWithin: '1d' }, 'oo------------xx'],
    // The bad ones are counted from the newest of them, not from the good one long ago.
    ['-o--xxxxxxxxxxx', { keepWithin: '2d' }, '-o----------xxx'],
    ['-xxxx-----oxxxo', { keepWithin: '2d' }, '------------xxo'],
    ['oooooooxxxxxxx', { keepDaily: 14, maxCount: 2 }, '-----oo-----xx'],
    ['xxxxxxxooooooo', { keepDaily: 14, maxCount: 2 }, '------------oo'],
  ])('%s %j', (days, policy, expected) => expect(kept(days, policy)).toBe(expected))
})
