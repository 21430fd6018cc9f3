import { describe, expect, it } from 'vitest'
import { withQuietRun } from '../../../src/engine/run/context.ts'
import { BackupError } from '../../../src/errors.ts'
import type { EngineEvents, Progress, Report } from '../../../src/events.ts'
import { countingController, countListeners, deferred, settle } from '../../util/fake-clock.ts'
import { makeShell, type Shell } from '../fixture.ts'
import { backup, untilAborted } from './fixture.ts'

function eventsOf(shell: Shell, verb = 'backup'): string[] {
  const seen: string[] = []
  for (const what of ['start', 'progress', 'warning', 'complete', 'error']) {
    const event = `${verb}:${what}` as keyof EngineEvents
    shell.engine.on(event, () => seen.push(what))
  }
  return seen
}

describe('withRun', () => {
  it('adds the fields of a run to the result, stores a report, and sends events in order', async () => {
    const shell = makeShell()
    const seen = eventsOf(shell)
    const result = await backup(shell, { actor: 'user:42' }, async (run) => {
      run.progress.add({ items: 1 })
      await shell.clock.advance(250)
      run.warn({ code: 'ENTRY_SKIPPED', message: 'no', path: 'uploads/a' })
    })
    expect(result).toMatchObject({ runId: 'run-1', durationMs: 250, verified: 'structure' })
    expect(result.endedAt.getTime() - result.startedAt.getTime()).toBe(250)
    expect(result.warnings).toEqual([{ code: 'ENTRY_SKIPPED', message: 'no', path: 'uploads/a' }])
    expect(seen).toEqual(['start', 'progress', 'warning', 'progress', 'complete'])
    expect(shell.reports.stored.get('run-1')).toMatchObject({
      verb: 'backup',
      status: 'ok',
      actor: 'user:42',
      host: 'web-1',
      snapshot: result.snapshot.id,
      options: { tags: ['x'] },
      durationMs: 250,
      warnings: [{ code: 'ENTRY_SKIPPED' }],
    })
    expect(shell.engine.runs()).toEqual([])
    expect(shell.clock.sleeping).toBe(0)
  })

  it('can be followed and listed by the next line of the caller', async () => {
    const shell = makeShell()
    const gate = deferred()
    const running = backup(shell, { runId: 'mine' }, () => gate.promise)
    expect(shell.engine.runs()).toMatchObject([{ runId: 'mine', verb: 'backup' }])
    gate.resolve()
    await running
  })

  it('refuses the id of an active run, and takes it again afterwards', async () => {
    const shell = makeShell()
    const gate = deferred()
    const first = backup(shell, { runId: 'mine' }, () => gate.promise)
    await expect(backup(shell, { runId: 'mine' })).rejects.toMatchObject({ code: 'RUN_EXISTS' })
    gate.resolve()
    await first
    expect((await backup(shell, { runId: 'mine' })).warnings).toMatchObject([{ code: 'REPORT_NOT_SAVED' }])
  })

  it('reports a failure as it is', async () => {
    const shell = makeShell()
    const seen = eventsOf(shell)
    const error = new BackupError('SOURCE_NOT_FOUND', 'gone', { origin: 'source' })
    await expect(backup(shell, {}, () => Promise.reject(error))).rejects.toBe(error)
    expect(seen.filter((what) => what !== 'progress')).toEqual(['start', 'error'])
    expect(shell.reports.stored.get('run-1')).toMatchObject({
      status: 'failed',
      error: { code: 'SOURCE_NOT_FOUND', origin: 'source', message: 'gone', retryable: false },
    })
  })

  it('makes INTERNAL of what is no BackupError, with the original as its cause', async () => {
    const cause = new TypeError('x is undefined')
    const failing = backup(makeShell(), {}, () => {
      throw cause
    })
    await expect(failing).rejects.toMatchObject({ code: 'INTERNAL', cause })
  })

  it('aborts by the caller’s signal, and leaves no listener and no timer', async () => {
    const shell = makeShell()
    const { controller, listeners } = countingController()
    const running = backup(shell, { signal: controller.signal, timeoutMs: 5000, stallMs: 500 }, untilAborted)
    await settle()
    expect(shell.clock.sleeping).toBe(2)
    const during = listeners()
    controller.abort('cancelled by user')
    await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: 'cancelled by user' })
    expect(during).toBe(1)
    expect(listeners()).toBe(0)
    expect(shell.clock.sleeping).toBe(0)
    expect(shell.reports.stored.get('run-1')?.status).toBe('aborted')
  })

  it('leaves nothing on the signals of caller and engine after a thousand runs that ended well', async () => {
    const shell = makeShell()
    const { controller, listeners } = countingController()
    const engine = countListeners(shell.context.lifetime.signal)
    for (let i = 0; i < 1000; i++) await backup(shell, { signal: controller.signal, timeoutMs: 1000 })
    expect(listeners()).toBe(0)
    expect(engine()).toBe(0)
    expect(shell.clock.sleeping).toBe(0)
  })

  it('does not begin with an aborted signal', async () => {
    const shell = makeShell()
    const seen = eventsOf(shell)
    await expect(backup(shell, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(seen).toEqual([])
  })

  it.each([0, 1])('aborts by runs(), %s turns after the call', async (turns) => {
    const shell = makeShell()
    const running = backup(shell, { runId: 'mine' }, untilAborted)
    for (let i = 0; i < turns; i++) await settle()
    shell.engine.runs()[0]?.abort('no more')
    await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: 'no more' })
  })

  it('survives listeners, callbacks and loggers that throw', async () => {
    const shell = makeShell({
      options: {
        logger: {
          debug() {},
          info() {},
          warn() {},
          error() {
            throw new Error('logger')
          },
        },
      },
    })
    let after = 0
    shell.engine.on('backup:start', () => {
      throw new Error('listener')
    })
    shell.engine.on('backup:start', () => after++)
    shell.engine.on('backup:complete', (async () => Promise.reject(new Error('async'))) as () => void)
    const onProgress = (): void => {
      throw new Error('callback')
    }
    await backup(shell, { onProgress })
    await settle()
    expect(after).toBe(1)
  })

  it('logs what a listener threw', async () => {
    const shell = makeShell()
    shell.engine.on('backup:start', () => {
      throw new Error('mine')
    })
    await backup(shell)
    expect(shell.logger.lines).toMatchObject([{ level: 'error', fields: { err: { message: 'mine' } } }])
  })

  it('turns a report that cannot be stored into a warning, even where the target hangs', async () => {
    const shell = makeShell()
    shell.context.reports.save = () => new Promise(() => {})
    const running = backup(shell)
    await shell.clock.advance(10_000)
    const result = await running
    expect(result.warnings).toMatchObject([{ code: 'REPORT_NOT_SAVED' }])
    expect((await shell.engine.history.get(result.runId)).warnings).toEqual(result.warnings)
  })

  it('keeps a bounded number of warnings and counts the rest', async () => {
    const shell = makeShell()
    let events = 0
    shell.engine.on('backup:warning', () => events++)
    const result = await backup(shell, {}, async (run) => {
      for (let i = 0; i < 5000; i++) run.warn({ code: 'ENTRY_SKIPPED', message: `${i}` })
    })
    expect(events).toBe(5000)
    expect(result.warnings).toHaveLength(1000)
    expect(result.warnings.at(-1)).toMatchObject({ code: 'WARNINGS_OMITTED', details: { count: 4001 } })
  })

  it('passes on other events with the run’s facts', async () => {
    const shell = makeShell()
    const seen: unknown[] = []
    shell.engine.on('source:open', (event) => seen.push(event))
    await backup(shell, { actor: 'me' }, async (run) => run.emit('source:open', { source: 'uploads' }))
    expect(seen).toEqual([{ source: 'uploads', runId: 'run-1', actor: 'me', at: shell.clock.now() }])
  })

  it('tells followers and listeners the same progress, the last one at 100', async () => {
    const shell = makeShell()
    const called: Progress[] = []
    const emitted: Progress[] = []
    shell.engine.on('backup:progress', (p) => emitted.push(p))
    await backup(shell, { onProgress: (p) => called.push(p) })
    expect(called).toEqual(emitted)
    expect(called.at(-1)?.percent).toBe(100)
  })
})

describe('withQuietRun', () => {
  it('gives the bare result, emits nothing, stores nothing, yet can be followed', async () => {
    const shell = makeShell()
    const gate = deferred()
    const running = withQuietRun(shell.context, { verb: 'diff', options: { runId: 'd' } }, async () => {
      await gate.promise
      return { base: 'x' }
    })
    const reports: Report[] = []
    const following = (async () => {
      for await (const update of shell.engine.follow('d')) if (update.type === 'end') reports.push(update.report)
    })()
    await settle()
    gate.resolve()
    expect(await running).toEqual({ base: 'x' })
    await following
    expect(reports).toMatchObject([{ verb: 'diff', status: 'ok' }])
    expect(shell.reports.stored.size).toBe(0)
    expect(await shell.engine.history.list().toArray()).toEqual([])
  })
})
