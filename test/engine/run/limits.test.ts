import { describe, expect, it } from 'vitest'
import type { RunContext } from '../../../src/engine/run/context.ts'
import { countingController, deferred, settle } from '../../util/fake-clock.ts'
import { makeShell } from '../fixture.ts'
import { type Body, backup, untilAborted } from './fixture.ts'

describe('limits and turns of runs', () => {
  it('ends with TIMEOUT, which is worth a retry', async () => {
    const shell = makeShell()
    const running = backup(shell, { timeoutMs: 1000 }, async (run) => {
      const beat = setInterval(() => run.progress.add({ items: 1 }))
      await untilAborted(run).finally(() => clearInterval(beat))
    })
    const rejected = expect(running).rejects.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
      details: { timeoutMs: 1000, stalled: false },
    })
    await shell.clock.advance(999)
    expect(shell.engine.runs()).toHaveLength(1)
    await shell.clock.advance(1)
    await rejected
    expect(shell.reports.stored.get('run-1')?.status).toBe('failed')
  })

  it('ends with TIMEOUT when nothing moves, and not before', async () => {
    const shell = makeShell()
    let context: RunContext | undefined
    const running = backup(shell, { stallMs: 100 }, (run) => {
      context = run
      return untilAborted(run)
    })
    const rejected = expect(running).rejects.toMatchObject({ code: 'TIMEOUT', details: { stalled: true } })
    for (let i = 0; i < 10; i++) {
      await shell.clock.advance(90)
      context?.progress.add({ bytes: 1 })
    }
    expect(shell.engine.runs()).toHaveLength(1)
    await shell.clock.advance(100)
    await rejected
    expect(shell.clock.sleeping).toBe(0)
  })

  it('gives up a body that does not stop, says so, and keeps its source taken until it ends', async () => {
    const shell = makeShell()
    const stuck = deferred()
    const { controller } = countingController()
    const running = backup(shell, { signal: controller.signal }, () => stuck.promise, ['source:a'])
    const rejected = expect(running).rejects.toMatchObject({ code: 'ABORTED' })
    await settle()
    controller.abort()
    await shell.clock.advance(10_000)
    await rejected
    expect(shell.logger.lines).toMatchObject([{ level: 'error', fields: { runId: 'run-1' } }])
    const next = backup(shell, {}, async () => {}, ['source:a'])
    await settle()
    expect(shell.engine.runs()).toMatchObject([{ progress: { phase: 'waiting' } }])
    stuck.resolve()
    await next
  })

  it('makes runs of one source take turns, and others not wait for them', async () => {
    const shell = makeShell()
    const first = deferred()
    const order: string[] = []
    const a = backup(shell, {}, () => first.promise.then(() => void order.push('a1')), ['source:a'])
    const b = backup(shell, {}, async () => void order.push('a2'), ['source:a'])
    await backup(shell, {}, async () => void order.push('b'), ['source:b'])
    expect(order).toEqual(['b'])
    first.resolve()
    await Promise.all([a, b])
    expect(order).toEqual(['b', 'a1', 'a2'])
  })

  it('runs no more at once than maxConcurrentRuns; one that waits can be aborted', async () => {
    const shell = makeShell({ options: { maxConcurrentRuns: 2 } })
    let running = 0
    let most = 0
    const gate = deferred()
    const body: Body = async () => {
      most = Math.max(most, ++running)
      await gate.promise
      running--
    }
    const runs = [backup(shell, {}, body), backup(shell, {}, body), backup(shell, {}, body)]
    const { controller } = countingController()
    const dropped = backup(shell, { signal: controller.signal }, body)
    await settle()
    controller.abort()
    await expect(dropped).rejects.toMatchObject({ code: 'ABORTED' })
    gate.resolve()
    await Promise.all(runs)
    expect(most).toBe(2)
  })
})
