import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/util/clock.ts'
import { countingController } from './fake-clock.ts'

describe('systemClock', () => {
  it('sleeps and measures', async () => {
    const before = systemClock.monotonicMs()
    await systemClock.sleep(5)
    expect(systemClock.monotonicMs() - before).toBeGreaterThanOrEqual(5)
    expect(Math.abs(systemClock.now().getTime() - Date.now())).toBeLessThan(1000)
  })
  it('wakes with ABORTED at once, even from a wait longer than a timer can hold', async () => {
    const { controller } = countingController()
    const slept = systemClock.sleep(2 ** 40, { signal: controller.signal })
    controller.abort('enough')
    await expect(slept).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
  })
  it('does not begin when aborted', async () => {
    await expect(systemClock.sleep(60_000, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
