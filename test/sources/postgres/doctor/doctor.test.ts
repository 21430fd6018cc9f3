import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { examine } from '../../../../src/sources/postgres/doctor/doctor.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer, testDatabase } from '../../../servers/postgres.ts'

let server: TestServer
let database: TestDatabase
const role = `doctor_${process.pid}`

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '5' } })
  database = await testDatabase(server)
  await runSql(server.url, `CREATE ROLE ${role} LOGIN PASSWORD 'secret-word'`)
})
afterAll(async () => {
  await database?.drop()
  await server?.stop()
})

const codesOf = async (url: string): Promise<Record<string, string>> => {
  const findings = await examine({ connectionString: url }, undefined, async () => [])
  for (const { fix, message } of findings) {
    expect(fix, message).toBeTruthy()
    expect(message).not.toContain('secret-word')
  }
  return Object.fromEntries(findings.map(({ code, message }) => [code, message]))
}

const asRole = (): string => {
  const url = new URL(database.url)
  url.username = role
  url.password = 'secret-word'
  return url.href
}

describe('examine', () => {
  it('has nothing to say about a plain database', async () => {
    await runSql(database.url, 'CREATE TABLE plain (id int PRIMARY KEY); SELECT lo_create(0)')
    expect(await codesOf(database.url)).toEqual({})
  })

  it('names what a role may not read', async () => {
    await runSql(
      database.url,
      `CREATE SCHEMA closed; CREATE TABLE "Denied" (id int);
       CREATE TABLE secured (id int); GRANT SELECT ON secured TO ${role};
       ALTER TABLE secured ENABLE ROW LEVEL SECURITY`,
    )
    expect(await codesOf(asRole())).toMatchObject({
      TABLE_DENIED: expect.stringContaining('public."Denied"'),
      SCHEMA_DENIED: expect.stringContaining('closed'),
      ROW_SECURITY: expect.stringContaining('public.secured'),
      LARGE_OBJECTS_DENIED: expect.stringContaining('1 of 1'),
    })
    await runSql(database.url, 'DROP SCHEMA closed; DROP TABLE "Denied"; DROP TABLE secured')
  })

  it('names tables whose rows are not safe, or not here', async () => {
    await runSql(
      database.url,
      `CREATE UNLOGGED TABLE gone_after_crash (id int);
       CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
       CREATE FOREIGN TABLE elsewhere (line text) SERVER files OPTIONS (filename '/etc/hostname')`,
    )
    expect(await codesOf(database.url)).toMatchObject({
      UNLOGGED_TABLE: expect.stringContaining('gone_after_crash'),
      FOREIGN_TABLE: expect.stringContaining('elsewhere'),
    })
  })

  it('names what can spoil a backup or a restore: prepared transactions, drifted collations, invalid indexes', async () => {
    await runSql(
      database.url,
      `CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1);
       CREATE TABLE german (name text COLLATE "de-x-icu");
       UPDATE pg_collation SET collversion = '0' WHERE collname = 'de-x-icu'`,
    )
    await expect(runSql(database.url, 'CREATE UNIQUE INDEX CONCURRENTLY broken ON twice (id)')).rejects.toThrow()
    await runSql(database.url, "BEGIN; INSERT INTO twice VALUES (2); PREPARE TRANSACTION 'left-over'")
    await sleep(1100)
    expect(await codesOf(database.url)).toMatchObject({
      PREPARED_TRANSACTION: expect.stringContaining('left-over'),
      COLLATION_DRIFT: expect.stringContaining('de-x-icu'),
      INVALID_INDEX: expect.stringContaining('broken'),
    })
    await runSql(database.url, "ROLLBACK PREPARED 'left-over'")
  })

  it('not being able to look is a finding with its fix, and without a secret', async () => {
    expect(Object.keys(await codesOf('postgres://nobody:secret-word@127.0.0.1:9/x'))).toEqual(['SOURCE_UNREACHABLE'])
    const url = new URL(database.url)
    url.pathname = '/there_is_none'
    expect(Object.keys(await codesOf(url.href))).toEqual(['SOURCE_NOT_FOUND'])
  })
})
