import { describe, expect, it } from 'vitest'
import { makeListing } from '../../src/engine/listing.ts'
import { withRun } from '../../src/engine/run/context.ts'
import type { EngineContext } from '../../src/engine/types/context.ts'
import type { Entry } from '../../src/engine/types/index.ts'
import { BackupError } from '../../src/errors.ts'
import { backupBody, makeShell, makeSnapshot } from './fixture.ts'

const snapshots = [
  makeSnapshot({ id: 'abcd-1', createdAt: new Date(1) }),
  makeSnapshot({ id: 'abcd-2', createdAt: new Date(2), tags: ['x'] }),
]
const loadSnapshots = async () => snapshots

describe('BackupEngine', () => {
  it('gives bodies checked options, and callers their results', async () => {
    const { engine } = makeShell({
      verbs: { backup: (context, options) => withRun(context, { verb: 'backup', options }, async () => backupBody()) },
    })
    expect(engine.repositoryId).toBe('f00d')
    expect(await engine.backup({ tags: ['a'] })).toMatchObject({ runId: 'run-1', verified: 'structure' })
    await expect(engine.backup({ tag: 'a' } as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('registers nothing and emits nothing for options that are wrong', async () => {
    const { engine, reports } = makeShell()
    let events = 0
    engine.on('backup:start', () => events++).on('backup:error', () => events++)
    await expect(engine.backup({ runId: 'é' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    expect([events, engine.runs().length, reports.stored.size]).toEqual([0, 0, 0])
  })

  it('lists, pages and finds snapshots', async () => {
    const { engine } = makeShell({ verbs: { loadSnapshots } })
    expect((await engine.snapshots().toArray()).map((s) => s.id)).toEqual(['abcd-2', 'abcd-1'])
    const page = await engine.snapshots({ order: 'oldest' }).page({ limit: 1 })
    expect(page).toMatchObject({ items: [{ id: 'abcd-1' }], total: 2 })
    expect((await engine.snapshots({ order: 'oldest' }).page({ cursor: page.next as string })).items[0]?.id).toBe(
      'abcd-2',
    )
    expect((await engine.snapshot('latest')).id).toBe('abcd-2')
    expect((await engine.snapshot('abcd-1')).id).toBe('abcd-1')
    await expect(engine.snapshot('abcd')).rejects.toMatchObject({ code: 'SNAPSHOT_AMBIGUOUS' })
    await expect(engine.snapshots({ tags: [] }).page()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('stops loading snapshots when the caller aborts', async () => {
    const { engine } = makeShell({ verbs: { loadSnapshots: () => new Promise(() => {}) } })
    const controller = new AbortController()
    const listed = engine.snapshots({ signal: controller.signal }).toArray()
    controller.abort()
    await expect(listed).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('checks the options of entries when they are read', async () => {
    const entry: Entry = { path: 'uploads/a', type: 'file', size: 1, facts: {} }
    const { engine } = makeShell({
      verbs: {
        entries: () =>
          makeListing<Entry, string>({
            async *iterate() {
              yield entry
            },
            placeOf: (e) => e.path,
            parsePlace: (value) => (typeof value === 'string' ? value : undefined),
          }),
      },
    })
    expect(await engine.entries({ snapshot: 'latest' }).toArray()).toEqual([entry])
    await expect(engine.entries({ snapshot: 5 as never }).page()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('hands on events', async () => {
    const { engine, context } = makeShell()
    const seen: string[] = []
    const listener = (): void => void seen.push('on')
    engine.on('backup:start', listener).once('backup:start', () => seen.push('once'))
    const emit = (): void => context.emitter.emit('backup:start', { runId: 'r', at: new Date(0) })
    emit()
    engine.off('backup:start', listener)
    emit()
    expect(seen).toEqual(['on', 'once'])
  })
})

describe('history', () => {
  const run = async (context: EngineContext, runId: string, fails = false): Promise<void> => {
    await withRun(context, { verb: 'backup', options: { runId, actor: `by-${runId}` } }, async () => {
      if (fails) throw new BackupError('TARGET_FULL', 'no space left', { origin: 'target' })
      return backupBody()
    }).catch(() => {})
  }

  it('lists reports newest first, filters and pages them', async () => {
    const { engine, context, clock } = makeShell()
    for (const [id, fails] of [
      ['a', false],
      ['b', true],
      ['c', false],
    ] as const) {
      await run(context, id, fails)
      await clock.advance(1000)
    }
    const ids = async (filter?: Parameters<typeof engine.history.list>[0]) =>
      (await engine.history.list(filter).toArray()).map((report) => report.runId)
    expect(await ids()).toEqual(['c', 'b', 'a'])
    expect(await ids({ status: ['failed'] })).toEqual(['b'])
    expect(await ids({ actor: 'by-c' })).toEqual(['c'])
    expect(await ids({ search: 'SPACE left' })).toEqual(['b'])
    expect(await ids({ verbs: ['verify'] })).toEqual([])
    expect(await ids({ after: new Date(clock.now().getTime() - 1000) })).toEqual(['c'])
    expect(await ids({ before: new Date(clock.now().getTime() - 2000) })).toEqual(['a'])
    const page = await engine.history.list().page({ limit: 2 })
    expect((await engine.history.list().page({ cursor: page.next as string })).items).toMatchObject([{ runId: 'a' }])
    await expect(engine.history.list({ status: [] }).page()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('gets one report, also of another process', async () => {
    const first = makeShell()
    await run(first.context, 'a')
    const second = makeShell({ parts: { reports: first.reports } })
    expect(await second.engine.history.get('a')).toMatchObject({ runId: 'a', status: 'ok' })
    await expect(second.engine.history.get('b')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
  })
})
