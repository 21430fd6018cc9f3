/** Backups and drills while others write: everything is of one moment, the files beside the database too. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filesystem, folder } from '../../src/index.ts'
import { scratch } from '../faults/support.ts'
import { queryRows, runSql, startPostgres, type TestServer } from '../servers/postgres.ts'
import { brokenRules, createLoadTables, startLoad } from '../sources/postgres/fixtures/load.ts'
import { Databases, expectNothingLeft, openEngine, restoreInto, sinkOf, sourceOf, urlOf } from './support.ts'

const place = scratch()
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

describe('while transfers run', () => {
  it('each backup adds up, restored and drilled', async () => {
    const live = await databases.make()
    await createLoadTables(live.url)
    const load = await startLoad(live.url)
    await using engine = await openEngine([sourceOf(server, live.url)])
    const rules = `SELECT sum(balance) - count(*) * 1000 FROM load.accounts`
    for (let round = 0; round < 3; round++) {
      await load.more(200)
      await engine.backup()
      const name = `${live.name}_copy_${round}`
      await restoreInto(engine, sinkOf(server, { strategy: 'new-database', database: name }))
      expect(await brokenRules(urlOf(server, name))).toEqual([])
      expect(await queryRows(urlOf(server, name), 'SELECT count(*) > 0 AS moved FROM load.history')).toEqual([
        { moved: true },
      ])
    }
    const checks = [{ name: 'no money is lost', sql: rules, expect: 0 }]
    const drill = await engine.drill({ sinks: { main: sinkOf(live, { checks }) } })
    expect(drill.findings).toEqual([])
    expect(drill.sound).toBe(true)
    const { transactions } = await load.stop()
    expect(transactions).toBeGreaterThan(600)
    expect(await brokenRules(live.url)).toEqual([])
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('database and folder', () => {
  it('are of one snapshot and go back together, or not at all', async () => {
    const live = await databases.make(
      `CREATE TABLE uploads (name text PRIMARY KEY); INSERT INTO uploads VALUES ('a'), ('b')`,
    )
    mkdirSync(place.at('uploads'))
    for (const name of ['a', 'b']) writeFileSync(place.at('uploads', name), `file ${name}`)
    const files = filesystem({ name: 'uploads', path: place.at('uploads') })
    await using engine = await openEngine([sourceOf(server, live.url), files])
    const { snapshot } = await engine.backup()
    expect(snapshot.sources.map(({ name }) => name)).toEqual(['main', 'uploads'])

    await runSql(live.url, "DELETE FROM uploads; INSERT INTO uploads VALUES ('c')")
    rmSync(place.at('uploads'), { recursive: true })
    const to = (check: number) => ({
      sinks: {
        main: sinkOf(live, { checks: [{ name: 'two', sql: 'SELECT count(*) FROM uploads', expect: check }] }),
        uploads: folder({ path: place.at('uploads') }),
      },
    })
    const wrong = await engine.planRestore({ snapshot: 'latest', to: to(3) })
    await expect(engine.restore(wrong, { confirm: wrong.digest })).rejects.toMatchObject({ code: 'RESTORE_MISMATCH' })
    expect(await queryRows(live.url, 'SELECT name FROM uploads')).toEqual([{ name: 'c' }])

    const plan = await engine.planRestore({ snapshot: 'latest', to: to(2) })
    await engine.restore(plan, { confirm: plan.digest })
    expect(await queryRows(live.url, 'SELECT name FROM uploads ORDER BY 1')).toEqual([{ name: 'a' }, { name: 'b' }])
    for (const name of ['a', 'b']) expect(readFileSync(join(place.at('uploads'), name), 'utf8')).toBe(`file ${name}`)
    await expectNothingLeft(server, live.name)
  }, 60_000)
})
