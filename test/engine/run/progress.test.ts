import { describe, expect, it } from 'vitest'
import { ProgressMeter } from '../../../src/engine/run/progress.ts'
import type { Progress } from '../../../src/events.ts'
import { fakeClock } from '../../util/fake-clock.ts'

function meter() {
  const clock = fakeClock()
  const sent: Progress[] = []
  const progress = new ProgressMeter({ runId: 'r', verb: 'backup', clock, emit: (p) => sent.push(p) })
  return { clock, sent, progress, last: () => sent.at(-1) as Progress }
}

describe('ProgressMeter', () => {
  it('speaks at most ten times a second, and always at the end', async () => {
    const { clock, sent, progress, last } = meter()
    for (let i = 0; i < 950; i++) {
      progress.add({ items: 1, bytes: 10, currentPath: `uploads/${i}` })
      await clock.advance(1)
    }
    expect(sent).toHaveLength(10)
    progress.add({ items: 5 })
    progress.end(true)
    expect(sent).toHaveLength(11)
    expect(last()).toMatchObject({ percent: 100, etaMs: 0, items: { done: 955 }, bytes: { done: 9500 } })
    expect(clock.sleeping).toBe(0)
  })

  it('shows rows only where somebody counts them, and never more than there are', () => {
    const { progress } = meter()
    progress.add({ items: 1, bytes: 10 })
    expect(progress.current()).not.toHaveProperty('rows')
    progress.add({ rows: 5 })
    expect(progress.current().rows).toEqual({ done: 5, total: null })
    progress.total({ rows: 8 })
    expect(progress.current().rows).toEqual({ done: 5, total: 8 })
    progress.add({ rows: 5 })
    expect(progress.current().rows).toEqual({ done: 10, total: 10 })
  })

  it('says nothing after the end', async () => {
    const { clock, sent, progress } = meter()
    progress.end(false)
    await clock.advance(1000)
    progress.add({ items: 1 })
    progress.phase('late')
    progress.end(true)
    expect(sent).toHaveLength(1)
    expect(sent[0]?.percent).toBeNull()
  })

  it('never goes back, even when there turns out to be more', async () => {
    const { clock, sent, progress } = meter()
    const step = async (bytes: number, total?: number): Promise<void> => {
      if (total !== undefined) progress.total({ bytes: total })
      await clock.advance(100)
      progress.add({ bytes })
    }
    await step(10)
    await step(40, 100)
    await step(0, 1000)
    await step(200)
    await step(700)
    const percents = sent.map((p) => p.percent)
    expect(percents[0]).toBeNull()
    const known = percents.filter((p) => p !== null)
    expect(known).toEqual([...known].sort((a, b) => a - b))
    expect(known.at(-1)).toBe(95)
  })

  it('is below 100 until it has ended: after the last byte comes the commit', async () => {
    const { clock, progress, last } = meter()
    progress.total({ bytes: 10 })
    await clock.advance(100)
    progress.add({ bytes: 10 })
    expect(last().percent).toBe(99.9)
    progress.end(true)
    expect(last().percent).toBe(100)
  })

  it('counts items where bytes are not known', async () => {
    const { clock, progress, last } = meter()
    progress.total({ items: 4 })
    await clock.advance(100)
    progress.add({ items: 1 })
    expect(last()).toMatchObject({ percent: 25, items: { done: 1, total: 4 }, bytes: { done: 0, total: null } })
  })

  it('guesses the time left from a smoothed speed, once there is something to go by', async () => {
    const { clock, progress, last } = meter()
    progress.total({ bytes: 100_000 })
    await clock.advance(100)
    progress.add({ bytes: 100 })
    expect(last().etaMs).toBeNull()
    for (let i = 0; i < 99; i++) {
      await clock.advance(100)
      progress.add({ bytes: 100 })
    }
    expect(last().bytesPerSecond).toBe(1000)
    expect(last().etaMs).toBe(90_000)
    await clock.advance(100)
    progress.add({ bytes: 1100 }) // one leap must not make the guess leap
    expect(last().etaMs).toBeGreaterThan(70_000)
  })

  it('knows when it last moved: counts, phases and touches are signs of life, a path is not', async () => {
    const { clock, progress } = meter()
    await clock.advance(10)
    progress.add({ items: 1 })
    expect(progress.lastActivityMs).toBe(10)
    await clock.advance(10)
    progress.add({ currentPath: 'a' })
    expect(progress.lastActivityMs).toBe(10)
    progress.phase('commit')
    expect(progress.lastActivityMs).toBe(20)
    await clock.advance(10)
    progress.touch()
    expect(progress.lastActivityMs).toBe(30)
  })
})
