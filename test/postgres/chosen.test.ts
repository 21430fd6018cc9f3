/** Patterns, conditions and partitioned tables: what is stored is what was meant, or it is said. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPostgres, type TestServer } from '../servers/postgres.ts'
import { Databases, openEngine, pathsOf, sinkOf, sourceOf } from './support.ts'

let server: TestServer
let databases: Databases

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
}, 60_000)
afterAll(async () => {
  await databases.dropAll()
  await server.stop()
})

const ITEMS = 'CREATE TABLE items (id serial PRIMARY KEY, t text)'

describe('what is chosen', () => {
  it('by settings in the connection string is the same for rows and schema', async () => {
    const database = await databases.make(
      'CREATE SCHEMA app; CREATE TABLE app.orders (a int); CREATE TABLE public.orders (b int)',
    )
    const url = new URL(database.url)
    url.searchParams.set('options', '-csearch_path=app')
    const engine = await openEngine([sourceOf(server, url.href, { tables: ['orders'] })])
    await engine.backup()
    let script = ''
    for await (const piece of await engine.read({ snapshot: 'latest', path: 'main/pg_dump/pre-data.sql' })) {
      script += Buffer.from(piece).toString()
    }
    expect(script).toContain('CREATE TABLE app.orders')
    expect(await pathsOf(engine, 'main/app')).toContain('main/app/orders')
    await engine.close()
  })

  it('of a partitioned table is chosen of its partitions', async () => {
    const database = await databases.make(`CREATE TABLE days (d int) PARTITION BY RANGE (d);
      CREATE TABLE early PARTITION OF days FOR VALUES FROM (0) TO (10); CREATE TABLE late PARTITION OF days FOR VALUES FROM (10) TO (20);
      INSERT INTO days SELECT generate_series(0, 19)`)
    const where = { 'public.days': 'd < 5', 'public.late': 'd > 18' }
    const engine = await openEngine([sourceOf(server, database.url, { where })])
    await engine.backup()
    const rows: unknown[] = []
    for (const table of ['early', 'late']) {
      for await (const { type, facts } of engine.entries({ snapshot: 'latest', path: `main/public/${table}` })) {
        if (type === 'rows') rows.push(facts.rows)
      }
    }
    expect(rows).toEqual([5, 1])
    await engine.close()
  })

  it('of a partitioned table, and none of its partitions, is no silence', async () => {
    const database = await databases.make(`CREATE TABLE days (d int) PARTITION BY RANGE (d);
      CREATE TABLE early PARTITION OF days FOR VALUES FROM (0) TO (10); INSERT INTO days VALUES (1)`)
    const rootOnly = await openEngine([sourceOf(server, database.url, { tables: ['public.days'] })])
    const { warnings } = await rootOnly.backup()
    expect(warnings).toMatchObject([{ code: 'SOURCE_FINDING', details: { table: 'public.days' } }])
    await rootOnly.close()
    const engine = await openEngine([sourceOf(server, database.url)])
    expect((await engine.backup()).warnings).toEqual([])
    const select = { include: ['main/public/days'] }
    const to = { sinks: { main: sinkOf(database, { connectionString: database.url }) } }
    const plan = await engine.planRestore({ snapshot: 'latest', select, to })
    expect(plan.warnings).toMatchObject([
      { code: 'RESTORE_LEFT_OUT', details: { table: 'public.days', partitions: ['public.early'] } },
    ])
    await engine.close()
  })

  it('to be left out must be there, or is pointed out', async () => {
    const database = await databases.make('CREATE TABLE "Users" (a int); CREATE TABLE log (a int)')
    const typos = [{ where: { 'public.Users': 'a > 1' } }, { excludeTableData: ['public.logs'] }]
    for (const options of typos) {
      const engine = await openEngine([sourceOf(server, database.url, options)])
      const option = Object.keys(options)[0]
      await expect(engine.backup()).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND', details: { option } })
      await engine.close()
    }
    const other = await databases.make('CREATE TABLE elsewhere (a int)')
    const engine = await openEngine([
      sourceOf(server, database.url, {
        databases: [database.name, other.name],
        where: { 'public.elsewhere': 'a > 1', 'public."Users"': 'a > 1', 'tmp_*': 'false' },
        excludeTables: ['public.old'],
      }),
    ])
    const { warnings } = await engine.backup()
    expect(warnings.map(({ details }) => details?.pattern)).toEqual(['public.old', 'tmp_*'])
    await engine.close()
  })

  it('must be there, also where pg_dump is not asked', async () => {
    const database = await databases.make(ITEMS)
    for (const chosen of [{ tables: ['public.itms'] }, { schemas: ['nope'] }]) {
      const engine = await openEngine([sourceOf(server, database.url, { ...chosen, dataOnly: true })])
      await expect(engine.backup()).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
      await engine.close()
    }
  })
})
