/** Rows in the progress of a backup and of a restore. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Progress } from '../../src/index.ts'
import { runSql, startPostgres, type TestServer } from '../servers/postgres.ts'
import { Databases, openEngine, sinkOf, sourceOf } from './support.ts'

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

it('shows the rows of a backup against the catalogue, then the last snapshot; those of a restore against what it restores', async () => {
  const { url, name } = await databases.make()
  await runSql(url, 'CREATE TABLE a AS SELECT generate_series(1, 900) AS id; CREATE TABLE b (id int); ANALYZE')
  const engine = await openEngine([sourceOf(server, url)])
  try {
    const seen: Progress[] = []
    const onProgress = (progress: Progress): void => void seen.push(progress)
    await engine.backup({ onProgress })
    expect(seen.at(-1)?.rows).toEqual({ done: 900, total: 900 })
    await runSql(url, 'INSERT INTO b SELECT generate_series(1, 600); DELETE FROM a WHERE id > 500')
    seen.length = 0
    await engine.backup({ onProgress })
    expect(seen.find(({ rows }) => rows)?.rows?.total).toBe(900)
    expect(seen.at(-1)?.rows).toEqual({ done: 1100, total: 1100 })
    seen.length = 0
    const sink = sinkOf(server, { strategy: 'new-database', database: `${name}_new` })
    await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { sinks: { main: sink } } }), {
      onProgress,
    })
    expect(seen.at(-1)?.rows).toEqual({ done: 1100, total: 1100 })
    expect(seen.every(({ rows }) => rows === undefined || rows.done <= (rows.total ?? 0))).toBe(true)
  } finally {
    await engine.close()
    await runSql(server.url, `DROP DATABASE IF EXISTS ${name}_new WITH (FORCE)`)
  }
}, 60_000)
