import { afterEach, expect, it, vi } from 'vitest'
import { mirrored } from '../../../src/targets/wrappers/mirrored.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { body, switched } from './mirror-support.ts'

afterEach(() => void vi.restoreAllMocks())

/** The commit of such a run is in doubt, so it leaves its object where it is and beats no more. */
it('restores from a mirror once a run that was never taken away has been silent for long', async () => {
  let nowMs = 1_000_000
  vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => nowMs)
  const first = switched('first')
  const target = mirrored([first.target, switched('second').target])
  await target.put('snapshots/1', body('S'))
  await target.put('runs/1', body('run'), { ifAbsent: true })
  for (let beat = 0; beat < 5; beat++) {
    nowMs += 60_000
    await target.put('runs/1', body(`beat ${beat}`))
  }
  first.isDead = true
  await expect(target.get('snapshots/1')).rejects.toThrow('first is dead')
  nowMs += 170_000
  await expect(target.put('runs/1', body('another'))).rejects.toThrow('first is dead')
  nowMs += 170_000
  await expect(target.get('snapshots/1')).rejects.toThrow('first is dead')
  nowMs += 20_000
  expect(await target.get('snapshots/1')).toEqual(body('S'))
  // What is old by then still decides nothing.
  first.isDead = false
  await expect(target.delete(['snapshots/1'])).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
})

it('lets no snapshot be forgotten by a tombstone after a mirror has said what may be old', async () => {
  const first = switched('first')
  const target = mirrored([first.target, switched('second').target])
  await target.put('snapshots/1', body('S'), { ifAbsent: true })
  first.isDead = true
  expect(await target.stat('notes/1/00000001')).toBeUndefined()
  first.isDead = false
  await expect(target.put('snapshots/1', body('T'))).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
  expect(first.objects.get('snapshots/1')).toEqual(body('S'))
  await target.put('runs/1', body('run'), { ifAbsent: true })
  await target.put('snapshots/1', body('T'))
})
