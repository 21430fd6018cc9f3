/** Sinks that pull: what they are given, what plans say, and what is left when something goes wrong. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { wrapTarget } from '../../../src/targets/target.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { workerPool } from '../../../src/workers/threads/pool.ts'
import { file, folder, listSource, noise, openEngine, watchReadings } from '../browse/browse-fixture.ts'
import { lines, type PullingSink, pulling, table } from './pull-support.ts'

afterEach(() => void vi.restoreAllMocks())

const MIB = 1024 * 1024
const big = lines(5 * MIB)

function database() {
  return listSource('db', [
    { path: 'pg_dump/pre-data.sql', type: 'script', content: { from: 'bytes', bytes: Buffer.from('create table') } },
    folder('public'),
    ...table('public/orders', ['1\n2\n', big, '']),
    ...table('public/orders2', ['x\n']),
    file('zz', noise(2 * MIB)),
  ])
}

async function backedUp(over: Parameters<typeof openEngine>[1] = {}): Promise<BackupEngine> {
  const engine = await openEngine([database()], over)
  await engine.backup()
  return engine
}

async function restoreInto(engine: BackupEngine, sink: PullingSink, over: object = {}) {
  const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } }, ...over })
  return engine.restore(plan)
}

describe('a sink that pulls', () => {
  it.each(['inline', 'threads'])('gets all that was chosen, in order, and any content (%s)', async (how) => {
    await using pool = workerPool({ threads: 2 })
    const engine = await backedUp(how === 'inline' ? {} : { workers: pool })
    const readings = watchReadings()
    const sink = pulling({ atOnce: 4, where: () => 'scratch_1' })
    const { places } = await restoreInto(engine, sink)
    expect(places).toEqual({ db: 'scratch_1' })
    expect(sink.phases).toEqual(['open', 'pull', 'prepare', 'commit', 'dispose'])
    expect(sink.facts).toEqual({ kind: 'a list' })
    expect([...sink.kept.values()].map(({ entry: { path, type } }) => `${type} ${path}`).sort()).toEqual([
      'directory public',
      'file zz',
      'rows public/orders/000001.copy',
      'rows public/orders/000002.copy',
      'rows public/orders/000003.copy',
      'rows public/orders2/000001.copy',
      'script pg_dump/pre-data.sql',
      'table public/orders',
      'table public/orders2',
    ])
    expect(sink.kept.get('public/orders/000002.copy')!.bytes.equals(big)).toBe(true)
    expect(sink.kept.get('zz')!.bytes.equals(noise(2 * MIB))).toBe(true)
    expect(sink.kept.get('public/orders/000001.copy')!.entry.facts).toMatchObject({ rows: 0 })
    expect(sink.kept.get('public/orders')!.bytes).toHaveLength(0)
    expect(readings.left).toBe(0)
    await engine.close()
  })

  it('gets the table along with a range of it', async () => {
    const engine = await backedUp()
    const sink = pulling()
    await restoreInto(engine, sink, { select: { include: ['db/public/orders/000001.copy'] } })
    expect([...sink.kept.keys()]).toEqual(['public', 'public/orders', 'public/orders/000001.copy'])
  })

  it('may leave a stream, and read what was not chosen', async () => {
    const engine = await backedUp()
    let script = ''
    const sink = pulling()
    const session = await sink.open({ signal: new AbortController().signal, runId: 'x', facts: {}, warn: () => {} })
    sink.open = async () => ({
      ...session,
      async pull(reader) {
        for await (const piece of reader.content('zz')) {
          expect(piece.length).toBeGreaterThanOrEqual(256 * 1024)
          break
        }
        for await (const piece of reader.content('pg_dump/pre-data.sql')) script += Buffer.from(piece)
        await expect(reader.content('none')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
          code: 'ENTRY_NOT_FOUND',
        })
      },
    })
    await restoreInto(engine, sink, { select: { include: ['db/public/orders2'] } })
    expect(script).toBe('create table')
  })

  it.each(['open', 'pull', 'public/orders/000002.copy', 'prepare', 'commit'])(
    'that fails at %s leaves nothing',
    async (fails) => {
      const engine = await backedUp()
      const readings = watchReadings()
      const other = pulling()
      const sink = pulling({ fails, atOnce: 2 })
      const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } } })
      await expect(engine.restore(plan)).rejects.toMatchObject({
        code: 'RESTORE_DENIED',
        message: expect.stringContaining('no '),
      })
      expect(sink.kept.size).toBe(0)
      expect(sink.live).toBe(false)
      if (fails !== 'open') expect(sink.phases.slice(-2)).toEqual(['rollback', 'dispose'])
      expect(readings.left).toBe(0)
      await restoreInto(engine, other)
      expect(other.live).toBe(true)
    },
  )

  it.each(['inline', 'threads'])('is rolled back on abort, anywhere (%s)', async (how) => {
    await using pool = workerPool({ threads: 2 })
    const engine = await backedUp(how === 'inline' ? {} : { workers: pool })
    const readings = watchReadings()
    for (const at of ['zz', 'public/orders/000002.copy', 'pg_dump/pre-data.sql']) {
      const abort = new AbortController()
      const sink = pulling({ atOnce: 3, during: (path) => (path === at ? abort.abort('enough') : undefined) })
      const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } } })
      await expect(engine.restore(plan, { signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED' })
      expect(sink.kept.size).toBe(0)
      expect(sink.phases.slice(-2)).toEqual(['rollback', 'dispose'])
      expect(readings.left).toBe(0)
    }
    await engine.close()
  })

  it('cannot hide damage: the error is the repository’s, even where the sink swallows it', async () => {
    const target = memoryTarget()
    await (await backedUp({ target })).close()
    let isBroken = false
    const flipping = wrapTarget(target, {
      get: async (key, call) => {
        const bytes = await target.get(key, call)
        if (isBroken && key.startsWith('packs/') && bytes.length > 100_000) bytes[bytes.length >> 1]! ^= 1
        return bytes
      },
    })
    const engine = await openEngine([], { target: flipping })
    for (const swallows of [false, true]) {
      isBroken = false
      const sink = pulling()
      const open = sink.open.bind(sink)
      sink.open = async (context) => {
        const session = await open(context)
        const { pull } = session
        return {
          ...session,
          pull: (reader) => (swallows ? pull!(reader).catch(() => undefined) : pull!(reader)),
        }
      }
      const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } } })
      isBroken = true
      await expect(engine.restore(plan)).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
      expect(sink.phases).toContain('rollback')
      expect(sink.live).toBe(false)
    }
  })

  it('asks the target for ranges, not for segments', async () => {
    const target = countingTarget(memoryTarget())
    const rows = lines(24 * MIB, 7)
    const engine = await openEngine([listSource('db', table('t', [rows]))], { target })
    await engine.backup()
    const sink = pulling()
    const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } } })
    target.reset()
    await engine.restore(plan)
    expect(sink.kept.get('t/000001.copy')!.bytes.equals(rows)).toBe(true)
    expect(target.count('get', 'packs/')).toBeLessThan(14)
  })
})

describe('the plan of a sink', () => {
  const change = { path: 'public/orders', to: 'orders in shop', bytes: 10 }
  const planning = (...types: ('create' | 'replace' | 'drop' | 'blocked')[]) =>
    pulling({
      plan: async (reader) => {
        let entries = 0
        for await (const batch of reader.entries()) entries += batch.length
        let script = ''
        for await (const piece of reader.content('pg_dump/pre-data.sql')) script += Buffer.from(piece)
        return {
          changes: types.map((type) => ({ ...change, type, ...(type === 'blocked' && { reason: 'a view needs it' }) })),
          warnings: [{ code: 'ROLE_MISSING', message: `${entries} ${script}` }],
          destructive: types.includes('replace'),
          freeBytes: 7,
        }
      },
    })

  it('is what planRestore says, as plain data', async () => {
    const engine = await backedUp()
    const plan = await engine.planRestore({
      snapshot: 'latest',
      to: { sinks: { db: planning('create', 'replace', 'drop') } },
    })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
    expect(plan.changes.map(({ type, decision, path, to }) => [type, decision, path, to])).toEqual([
      ['create', 'fail', 'db/public/orders', 'orders in shop'],
      ['update-content', 'overwrite', 'db/public/orders', 'orders in shop'],
      ['delete-extra', 'overwrite', 'db/public/orders', 'orders in shop'],
    ])
    expect(plan.totals).toMatchObject({ create: { count: 1, bytes: 10 }, 'update-content': { count: 1, bytes: 10 } })
    expect(plan.warnings).toMatchObject([{ code: 'ROLE_MISSING', message: '9 create table' }, { code: 'SPACE_LOW' }])
    expect(plan.space.free).toBe(7)
    expect(plan.destructive).toBe(true)
  })

  it('that destroys something is run only if it is confirmed', async () => {
    const engine = await backedUp()
    const sink = planning('replace')
    const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } } })
    await expect(engine.restore(plan)).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' })
    await expect(engine.restore(plan, { confirm: 'other' })).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' })
    expect(sink.phases).toEqual(['plan'])
    await engine.restore(plan, { confirm: plan.digest })
    expect(sink.live).toBe(true)
  })

  it('that is blocked is refused, confirmed or not, and says by what', async () => {
    const engine = await backedUp()
    const sink = planning('create', 'blocked')
    const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } }, inlineChanges: 1 })
    expect(plan).toMatchObject({ changesTruncated: true, destructive: false, changes: [{ type: 'blocked' }] })
    await expect(engine.restore(plan, { confirm: plan.digest })).rejects.toMatchObject({
      code: 'RESTORE_BLOCKED',
      message: expect.stringContaining('orders in shop: a view needs it'),
      details: { count: 1, blocked: [{ path: 'db/public/orders', to: 'orders in shop', reason: 'a view needs it' }] },
    })
    expect(sink.phases).toEqual(['plan'])
  })
})
