import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folder as folderSink } from '../../src/index.ts'
import { workerPool } from '../../src/workers/threads/pool.ts'
import { pulling, table } from './backup/pull-support.ts'
import { file, folder, listSource, openEngine } from './browse/browse-fixture.ts'

const tree = () => listSource('app', [folder('a'), file('a/b', 'content'), ...table('t', ['1\n', '2\n'])])

function drills(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-drill-'))
}

describe('drill', () => {
  it.each(['inline', 'threads'])(
    'restores into a temporary folder, has it looked at, and removes it (%s)',
    async (how) => {
      await using pool = workerPool({ threads: 2 })
      const engine = await openEngine([tree()], how === 'inline' ? {} : { workers: pool })
      const { snapshot } = await engine.backup()
      const events: string[] = []
      for (const name of ['drill:start', 'drill:complete', 'drill:error'] as const)
        engine.on(name, () => events.push(name))
      let place = ''
      const result = await engine.drill({
        check: async ({ places, snapshot: { id } }) => {
          expect(id).toBe(snapshot.id)
          place = places.app as string
          expect(readFileSync(join(place, 'a/b'), 'utf8')).toBe('content')
          expect(readFileSync(join(place, 't/000002.copy'), 'utf8')).toBe('2\n')
        },
      })
      expect(result).toMatchObject({ sound: true, findings: [], warnings: [] })
      expect(result.recoveryMs).toBeGreaterThanOrEqual(0)
      expect(result.toText()).toContain(`Snapshot: ${snapshot.id}`)
      expect(place).not.toBe('')
      expect(existsSync(place)).toBe(false)
      expect(drills()).toEqual([])
      expect(events).toEqual(['drill:start', 'drill:complete'])
      const [report] = await engine.history.list({ verbs: ['drill'] }).toArray()
      expect(report).toMatchObject({ verb: 'drill', status: 'ok', snapshot: snapshot.id, counts: { sound: 1 } })
      await engine.close()
    },
  )

  it('asks the sink of the source, which is told that it is a drill, and always rolls back', async () => {
    const source = tree()
    const sink = pulling({ where: () => 'scratch' })
    const engine = await openEngine([Object.assign(source, { sink: () => sink })])
    await engine.backup()
    const seen: unknown[] = []
    const result = await engine.drill({ check: async ({ places }) => void seen.push(places) })
    expect(result.sound).toBe(true)
    expect(seen).toEqual([{ app: 'scratch' }])
    expect(sink.drill).toBe(true)
    expect(sink.phases).toEqual(['open', 'pull', 'prepare', 'rollback', 'dispose'])
  })

  it.each(['open', 'pull', 'a/b', 'prepare', 'check', 'rollback'])(
    'tells of a failure at %s as a finding',
    async (fails) => {
      const engine = await openEngine([tree()])
      await engine.backup()
      const sink = pulling({ fails })
      const check = async (): Promise<void> => {
        if (fails === 'check') throw new Error('no check')
      }
      const result = await engine.drill({ sinks: { app: sink }, check })
      expect(result.sound).toBe(false)
      expect(result.findings).toMatchObject([{ severity: 'error', message: expect.stringContaining(`no ${fails}`) }])
      expect(result.findings[0]!.code).toBe(
        { check: 'DRILL_CHECK_FAILED', rollback: 'DRILL_NOT_REMOVED' }[fails] ?? 'RESTORE_DENIED',
      )
      expect(result.toText()).toContain('FAILED')
      if (fails !== 'open') expect(sink.phases.slice(-2)).toEqual(['rollback', 'dispose'])
      expect(sink.live).toBe(false)
    },
  )

  it('takes what a given folder got away again', async () => {
    const engine = await openEngine([tree()])
    await engine.backup()
    const path = mkdtempSync(join(tmpdir(), 'given-'))
    try {
      const sinks = { app: folderSink({ path: join(path, 'to') }) }
      const result = await engine.drill({ sinks, select: { include: ['app/a'] } })
      expect(result.findings).toEqual([])
      expect(readdirSync(path)).toEqual([])
    } finally {
      rmSync(path, { recursive: true })
    }
  })

  it('rejects on abort, with everything taken back', async () => {
    const engine = await openEngine([tree()])
    await engine.backup()
    for (const at of ['fill', 'check']) {
      const abort = new AbortController()
      const sink = pulling({ during: () => (at === 'fill' ? abort.abort() : undefined) })
      const running = engine.drill({
        sinks: { app: sink },
        signal: abort.signal,
        check: async () => abort.abort(),
      })
      await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
      expect(sink.phases.slice(-2)).toEqual(['rollback', 'dispose'])
    }
    const abort = new AbortController()
    await expect(engine.drill({ signal: abort.signal, check: async () => abort.abort() })).rejects.toThrow()
    expect(drills()).toEqual([])
  })

  it('rejects where there is nothing to drill', async () => {
    const engine = await openEngine([tree()])
    await expect(engine.drill()).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
    await engine.backup()
    await expect(engine.drill({ sinks: { none: pulling() } })).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
    await expect(engine.drill({ select: { sources: ['none'] } })).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
    await expect(engine.drill({ sinks: { app: 1 } } as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})
