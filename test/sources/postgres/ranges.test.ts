import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveSelection } from '../../../src/sources/postgres/catalog/selection.ts'
import { listTables, type Table } from '../../../src/sources/postgres/catalog/tables.ts'
import { Connector } from '../../../src/sources/postgres/connect.ts'
import type { Connection } from '../../../src/sources/postgres/connection.ts'
import { CopyOut } from '../../../src/sources/postgres/copy-out.ts'
import { copyStatement, planRanges, type RangePlan } from '../../../src/sources/postgres/ranges.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer, testDatabase } from '../../servers/postgres.ts'

const TARGET = 256 * 1024
const NO_FILTER = { schemas: [], excludeSchemas: [], tables: [], excludeTables: [], excludeTableData: [] }
let server: TestServer
let database: TestDatabase
let connection: Connection

beforeAll(async () => {
  server = await startPostgres()
  database = await testDatabase(server)
  connection = await new Connector({ connectionString: database.url }, 'source').connect()
  await runSql(
    database.url,
    `CREATE TABLE keyed (id int PRIMARY KEY, t text); INSERT INTO keyed SELECT i * 3, repeat(md5(i::text), 5) FROM generate_series(1, 8000) i;
     CREATE TABLE random (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text); INSERT INTO random (t) SELECT repeat('r', 150) FROM generate_series(1, 8000);`,
  )
})
afterAll(async () => {
  await connection.end()
  await database.drop()
  await server.stop()
})

async function table(name: string): Promise<Table> {
  const selection = await resolveSelection(connection.client, NO_FILTER, {})
  return (await listTables(connection.client, selection, true)).find((one) => one.name === name)!
}

async function read(sql: string): Promise<string[]> {
  const pieces: Uint8Array[] = []
  for await (const piece of new CopyOut(sql).read(connection)) pieces.push(piece)
  return Buffer.concat(pieces).toString().split('\n').slice(0, -1)
}

async function readRanges(of: Table, plan: RangePlan): Promise<string[][]> {
  const all: string[][] = []
  for (const range of plan.ranges) all.push(await read(copyStatement(of, plan, range)))
  return all
}

describe('ranges of a table', () => {
  it.each(['keyed', 'random'])('of %s hold every row once', async (name) => {
    const of = await table(name)
    const plan = await planRanges(connection.client, of, 'auto', undefined, TARGET)
    expect(plan.order).toBe(name === 'keyed' ? 'key' : 'heap')
    const parts = await readRanges(of, plan)
    expect(parts.length).toBeGreaterThan(3)
    expect(parts.every((rows) => rows.length > 0)).toBe(true)
    expect(parts.flat().sort()).toEqual((await read(`COPY ${name} TO STDOUT`)).sort())
  })

  it.each(['keyed', 'random'])('of %s stay where they were when it grows', async (name) => {
    const before = await planRanges(connection.client, await table(name), 'auto', undefined, TARGET)
    const old = await readRanges(await table(name), before)
    const grow = name === 'keyed' ? '(id, t) SELECT 100000 + i' : '(id, t) SELECT gen_random_uuid()'
    await runSql(database.url, `INSERT INTO ${name} ${grow}, repeat('n', 150) FROM generate_series(1, 8000) i`)
    const of = await table(name)
    const after = await planRanges(connection.client, of, 'auto', before, TARGET)
    expect(after.bounds.slice(0, before.bounds.length)).toEqual(before.bounds)
    expect(after.bounds.length).toBeGreaterThan(before.bounds.length)
    const parts = await readRanges(of, after)
    expect(parts.slice(0, before.bounds.length)).toEqual(old.slice(0, -1))
    expect(parts.flat()).toHaveLength(16_000)
  })
})
