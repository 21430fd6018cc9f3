import { describe, expect, it } from 'vitest'
import { withRun } from '../../src/engine/run/context.ts'
import type { BackupOptions } from '../../src/engine/types/index.ts'
import { deferred, settle } from '../util/fake-clock.ts'
import { backupBody, makeShell } from './fixture.ts'

/** A shell whose backup runs until the gate opens or it is aborted. */
function shellWithBackup() {
  const gate = deferred()
  const shell = makeShell({
    verbs: {
      backup: (engine, options) =>
        withRun(engine, { verb: 'backup', options }, async (run) => {
          const stopped = new Promise<never>((_, reject) => {
            run.signal.addEventListener('abort', () => reject(new Error('stop')), { once: true })
          })
          await Promise.race([gate.promise, stopped])
          return backupBody()
        }),
    },
  })
  const events: string[] = []
  shell.engine.on('backup:error', ({ error }) => events.push(error.code))
  return { ...shell, gate, events, backup: (options?: BackupOptions) => shell.engine.backup(options) }
}

describe('close', () => {
  it('closes pool and target in order, once, however often it is called', async () => {
    const { engine, closed } = makeShell()
    await Promise.all([engine.close(), engine.close({ graceMs: 5 })])
    await engine.close()
    await engine[Symbol.asyncDispose]()
    expect(closed).toEqual(['pool', 'target'])
  })

  it('makes every verb reject with ENGINE_CLOSED', async () => {
    const { engine } = makeShell()
    await engine.close()
    const code = { code: 'ENGINE_CLOSED' }
    await expect(engine.backup()).rejects.toMatchObject(code)
    await expect(engine.verify()).rejects.toMatchObject(code)
    await expect(engine.diff({ base: 'empty', head: 'latest' })).rejects.toMatchObject(code)
    await expect(engine.planRestore({ snapshot: 'latest', to: { folder: '/x' } })).rejects.toMatchObject(code)
    await expect(engine.restore({} as never)).rejects.toMatchObject(code)
    await expect(engine.read({ snapshot: 'latest', path: 'a/b' })).rejects.toMatchObject(code)
    await expect(engine.snapshot('latest')).rejects.toMatchObject(code)
    await expect(engine.snapshots().page()).rejects.toMatchObject(code)
    await expect(engine.entries({ snapshot: 'latest' }).toArray()).rejects.toMatchObject(code)
    await expect(engine.history.list().page()).rejects.toMatchObject(code)
    await expect(engine.history.get('x')).rejects.toMatchObject(code)
    await expect(engine.follow('x')[Symbol.asyncIterator]().next()).rejects.toMatchObject(code)
  })

  it('aborts what runs, and closes the target only after that has ended', async () => {
    const { engine, backup, closed, events, reports } = shellWithBackup()
    const running = backup()
    const rejected = expect(running).rejects.toMatchObject({ code: 'ABORTED', message: /engine was closed/ })
    await settle()
    const closing = engine.close()
    expect(closed).toEqual([])
    await rejected
    await closing
    expect(events).toEqual(['ABORTED'])
    expect(reports.stored.get('run-1')?.status).toBe('aborted')
    expect(closed).toEqual(['pool', 'target'])
  })

  it('lets it finish within the grace, and takes no new work meanwhile', async () => {
    const { engine, backup, gate, clock, closed } = shellWithBackup()
    const running = backup()
    const closing = engine.close({ graceMs: 1000 })
    await clock.advance(999)
    await expect(engine.backup()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(closed).toEqual([])
    gate.resolve()
    await running
    await closing
    expect(closed).toEqual(['pool', 'target'])
    expect(clock.sleeping).toBe(0)
  })

  it('aborts it when the grace is over', async () => {
    const { engine, backup, clock } = shellWithBackup()
    const rejected = expect(backup()).rejects.toMatchObject({ code: 'ABORTED' })
    const closing = engine.close({ graceMs: 1000 })
    await clock.advance(1000)
    await rejected
    await closing
    expect(clock.sleeping).toBe(0)
  })

  it('can be hurried', async () => {
    const { engine, backup, clock } = shellWithBackup()
    const rejected = expect(backup()).rejects.toMatchObject({ code: 'ABORTED' })
    const patient = engine.close({ graceMs: 60_000 })
    await settle()
    await engine.close()
    await rejected
    await patient
    expect(clock.sleeping).toBe(0)
  })

  it('closes the rest when one part fails, then says so', async () => {
    const closed: string[] = []
    const { engine } = makeShell({
      parts: { closers: [async () => Promise.reject(new Error('pool')), async () => void closed.push('target')] },
    })
    await expect(engine.close()).rejects.toThrow('pool')
    expect(closed).toEqual(['target'])
  })

  it('ends a follower with the report of the aborted run', async () => {
    const { engine, backup } = shellWithBackup()
    const rejected = expect(backup({ runId: 'mine' })).rejects.toMatchObject({ code: 'ABORTED' })
    const statuses: string[] = []
    const following = (async () => {
      for await (const update of engine.follow('mine')) if (update.type === 'end') statuses.push(update.report.status)
    })()
    await settle()
    await engine.close()
    await rejected
    await following
    expect(statuses).toEqual(['aborted'])
  })

  it('ends reads that hang outside a run', async () => {
    const { engine } = makeShell({ verbs: { loadSnapshots: () => new Promise(() => {}) } })
    const listed = expect(engine.snapshots().toArray()).rejects.toMatchObject({ code: 'ABORTED' })
    await settle()
    await engine.close()
    await listed
  })
})
