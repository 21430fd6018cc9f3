/** The suites that every source and every sink has to pass, on real databases. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, beforeEach, describe, it } from 'vitest'
import type { SinkEntry } from '../../src/index.ts'
import { sinkConformance, sourceConformance } from '../../src/testing/index.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer } from '../servers/postgres.ts'
import { dumpText } from '../sources/postgres/fixtures/dump-text.ts'
import { readSource } from '../sources/postgres/read-source.ts'
import { Databases, databasesLike, sinkOf, sourceOf, urlOf } from './support.ts'

const runner = { describe, it }
const TABLES = `CREATE TABLE a (id int PRIMARY KEY, t text); INSERT INTO a SELECT g, repeat('a', 100) FROM generate_series(1, 3000) g;
  CREATE TABLE "b/c" (x bytea); INSERT INTO "b/c" VALUES ('\\x00ff'); CREATE VIEW v AS SELECT count(*) FROM a;
  CREATE SEQUENCE s; SELECT nextval('s'), lo_from_bytea(0, 'large object')`

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

describe('the source', () => {
  let live: TestDatabase
  let changes = 0
  beforeEach(async () => {
    live ??= await databases.make(TABLES)
  })
  sourceConformance(runner, {
    create: () => sourceOf(server, live.url),
    mutate: () =>
      runSql(live.url, `UPDATE a SET t = 'changed ${++changes}' WHERE id = 17; CREATE TABLE new_${changes} (x int)`),
  })
})

describe('the sink', () => {
  let original: TestDatabase
  let dump: string
  let entries: { entry: SinkEntry; content?: Uint8Array }[]
  let facts: Awaited<ReturnType<typeof readSource>>['facts']
  let target = ''
  let count = 0

  beforeAll(async () => {
    original = await databases.make(TABLES)
    dump = await dumpText(server.binDir, original.url)
    const read = await readSource({ connectionString: original.url, binDir: server.binDir })
    facts = read.facts
    entries = read.entries.map(({ path, type, bytes, facts: own }) => ({
      entry: { path, type, size: bytes.length, facts: own },
      ...(type === 'table' ? {} : { content: new Uint8Array(bytes) }),
    }))
  })

  sinkConformance(runner, {
    create: () => {
      target = `${original.name}_${++count}_`
      return sinkOf(server, { database: target, jobs: 3 })
    },
    sample: () => ({
      facts,
      entries,
      isRestored: async () => assert.equal(await dumpText(server.binDir, urlOf(server, target)), dump),
      isEmpty: async () => assert.deepEqual(await databasesLike(server, target), []),
    }),
  })
})
