import { describe, expect, it } from 'vitest'
import { type RunContext, withRun } from '../../../src/engine/run/context.ts'
import { UpdateBuffer } from '../../../src/engine/run/updates.ts'
import type { RunUpdate } from '../../../src/events.ts'
import { countingController, deferred, settle } from '../../util/fake-clock.ts'
import { backupBody, makeShell, type Shell } from '../fixture.ts'

function start(shell: Shell, runId = 'mine') {
  const gate = deferred()
  const ready = deferred<RunContext>()
  const done = withRun(shell.context, { verb: 'backup', options: { runId } }, async (run) => {
    ready.resolve(run)
    await gate.promise
    return backupBody()
  })
  return { done, finish: gate.resolve, run: ready.promise }
}

async function collect(updates: AsyncIterable<RunUpdate>): Promise<RunUpdate[]> {
  const all: RunUpdate[] = []
  for await (const update of updates) all.push(update)
  return all
}

const typesOf = (updates: readonly RunUpdate[]): string[] => updates.map((update) => update.type)

describe('follow', () => {
  it('begins with the current progress and ends with the report', async () => {
    const shell = makeShell()
    const { done, finish, run } = start(shell)
    const context = await run
    context.progress.add({ items: 7 })
    const updates = shell.engine.follow('mine')[Symbol.asyncIterator]()
    expect((await updates.next()).value).toMatchObject({ type: 'progress', progress: { items: { done: 7 } } })
    context.warn({ code: 'ENTRY_SKIPPED', message: 'a' })
    expect((await updates.next()).value).toMatchObject({ type: 'warning', warning: { message: 'a' } })
    finish()
    expect((await updates.next()).value).toMatchObject({ type: 'progress', progress: { percent: 100 } })
    expect((await updates.next()).value).toMatchObject({ type: 'end', report: { status: 'ok', runId: 'mine' } })
    expect((await updates.next()).done).toBe(true)
    await done
  })

  it('can be followed by many, and each gets all of it', async () => {
    const shell = makeShell()
    const { done, finish } = start(shell)
    const followers = [1, 2, 3].map(() => collect(shell.engine.follow('mine')))
    await settle()
    finish()
    await done
    for (const updates of await Promise.all(followers)) expect(typesOf(updates).at(-1)).toBe('end')
  })

  it('gives a slow follower the newest progress and every warning', async () => {
    const shell = makeShell()
    const { done, finish, run } = start(shell)
    const context = await run
    const updates = shell.engine.follow('mine')[Symbol.asyncIterator]()
    await updates.next()
    for (let i = 0; i < 500; i++) {
      await shell.clock.advance(0)
      context.warn({ code: 'ENTRY_SKIPPED', message: `${i}` })
    }
    context.progress.total({ items: 100 })
    context.progress.add({ items: 100 })
    finish()
    await done
    const rest = await collect({ [Symbol.asyncIterator]: () => updates })
    expect(rest.filter((u) => u.type === 'warning')).toHaveLength(500)
    expect(rest.filter((u) => u.type === 'progress')).toMatchObject([{ progress: { percent: 100 } }])
    expect(rest.at(-1)?.type).toBe('end')
  })

  it('ends at once for a run that is over, from memory or from the repository', async () => {
    const shell = makeShell()
    const { done, finish } = start(shell)
    finish()
    await done
    expect(typesOf(await collect(shell.engine.follow('mine')))).toEqual(['end'])
    const later = makeShell({ parts: { reports: shell.reports } })
    expect(typesOf(await collect(later.engine.follow('mine')))).toEqual(['end'])
  })

  it('rejects for a run that nobody knows', async () => {
    await expect(collect(makeShell().engine.follow('nope'))).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
  })

  it('just ends when the follower has gone, and leaves nothing behind', async () => {
    const shell = makeShell()
    const { done, finish, run } = start(shell)
    await run
    const { controller, listeners } = countingController()
    const following = collect(shell.engine.follow('mine', { signal: controller.signal }))
    await settle()
    expect(listeners()).toBe(1)
    controller.abort()
    expect(typesOf(await following)).toEqual(['progress'])
    expect(listeners()).toBe(0)
    expect(await collect(shell.engine.follow('mine', { signal: controller.signal }))).toEqual([])
    finish()
    await done
  })

  it('takes its listener away when the loop is left', async () => {
    const shell = makeShell()
    const { done, finish } = start(shell)
    const { controller, listeners } = countingController()
    for await (const _ of shell.engine.follow('mine', { signal: controller.signal })) break
    expect(listeners()).toBe(0)
    finish()
    await done
  })
})

describe('UpdateBuffer', () => {
  it('holds no more than a thousand warnings', async () => {
    const buffer = new UpdateBuffer()
    for (let i = 0; i < 5000; i++) buffer.warning({ code: 'X', message: `${i}` })
    buffer.end({
      runId: 'r',
      verb: 'backup',
      status: 'ok',
      startedAt: new Date(),
      host: 'h',
      counts: {},
      options: {},
      warnings: [],
    })
    const types: string[] = []
    for (let update = await buffer.next(); update && update.type !== 'end'; update = await buffer.next()) {
      types.push(update.type)
    }
    expect(types).toHaveLength(1000)
  })
})
