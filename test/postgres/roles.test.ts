/** Roles with few rights, roles that are missing, and databases of other encodings and locales. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queryRows, runSql, startPostgres, type TestServer, withClient } from '../servers/postgres.ts'
import { MAJORS, startMajor } from '../servers/postgres-majors.ts'
import { dumpText } from '../sources/postgres/fixtures/dump-text.ts'
import {
  Databases,
  expectNothingLeft,
  openEngine,
  restoreInto,
  sinkOf,
  snapshotCount,
  sourceOf,
  urlOf,
} from './support.ts'

let server: TestServer
let databases: Databases
const role = (name: string): string => `e2e_${process.pid}_${name}`

beforeAll(async () => {
  server = await startPostgres({ settings: {} })
  databases = new Databases(server)
  await runSql(
    server.url,
    `CREATE ROLE ${role('reader')} LOGIN; GRANT pg_read_all_data TO ${role('reader')};
     CREATE ROLE ${role('owner')} LOGIN CREATEDB; CREATE ROLE ${role('guest')} LOGIN`,
  )
}, 60_000)
afterAll(() => server.stop())

function as(url: string, name: string): string {
  const own = new URL(url)
  own.username = role(name)
  return own.href
}

const SCHEMA = `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('low', 'high');
  CREATE TABLE app.t (id bigserial PRIMARY KEY, mood app.mood, t text); CREATE INDEX ON app.t (mood);
  INSERT INTO app.t (mood, t) SELECT (ARRAY['low', 'high']::app.mood[])[1 + g % 2], g FROM generate_series(1, 3000) g;
  CREATE VIEW app.v AS SELECT count(*) AS n FROM app.t; GRANT SELECT ON app.t TO ${role('guest')};
  CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT lo_from_bytea(0, 'large object');`

describe('roles with few rights', () => {
  it('one that may only read backs up what another owns; the owner restores it with CREATEDB', async () => {
    const live = await databases.make('', { with: `OWNER ${role('owner')}` })
    await runSql(as(live.url, 'owner'), SCHEMA.replace(/SELECT lo_.*/, ''))
    await using engine = await openEngine([sourceOf(server, as(live.url, 'reader'))])
    const { warnings } = await engine.backup()
    expect(warnings).toEqual([])
    const before = await dumpText(server.binDir, live.url, { database: true })
    await runSql(as(live.url, 'owner'), 'DROP SCHEMA app CASCADE')
    const drill = await engine.drill({ sinks: { main: sinkOf({ url: as(live.url, 'owner') }) } })
    expect(drill.findings).toEqual([])
    const restored = await restoreInto(engine, sinkOf({ url: as(live.url, 'owner') }))
    expect(restored.warnings).toEqual([])
    expect(await dumpText(server.binDir, live.url, { database: true })).toBe(before)
    await expectNothingLeft(server, live.name)
  }, 60_000)

  it('the owner backs up and restores large objects, without being a superuser', async () => {
    const live = await databases.make('', { with: `OWNER ${role('owner')}` })
    await runSql(as(live.url, 'owner'), SCHEMA)
    await using engine = await openEngine([sourceOf(server, as(live.url, 'owner'))])
    await engine.backup()
    const before = await dumpText(server.binDir, live.url, { database: true })
    await runSql(as(live.url, 'owner'), 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata; DROP SCHEMA app CASCADE')
    await restoreInto(engine, sinkOf({ url: as(live.url, 'owner') }))
    expect(await dumpText(server.binDir, live.url, { database: true })).toBe(before)
  }, 60_000)

  it('settings of a database that the owner may not set are said beforehand, and cost no restore', async () => {
    const live = await databases.make('', { with: `OWNER ${role('owner')}` })
    await runSql(as(live.url, 'owner'), 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)')
    await runSql(
      server.url,
      `ALTER DATABASE ${live.name} SET log_statement = 'ddl'; ALTER DATABASE ${live.name} SET work_mem = '7MB';
       ALTER ROLE ${role('guest')} IN DATABASE ${live.name} SET statement_timeout = '9s';
       ALTER ROLE ${role('owner')} IN DATABASE ${live.name} SET lock_timeout = '8s'`,
    )
    await using engine = await openEngine([sourceOf(server, as(live.url, 'owner'))])
    await engine.backup()
    const main = sinkOf({ url: as(live.url, 'owner') })
    const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { main } } })
    const denied = (warnings: readonly { code: string; details?: object }[]): unknown[] =>
      warnings
        .filter(({ code }) => code === 'RESTORE_SETTING_DENIED')
        .map(({ details }) => (details as { setting: string }).setting)
        .sort()
    expect(denied(plan.warnings)).toEqual(['log_statement', 'statement_timeout'])
    const { warnings } = await engine.restore(plan, { confirm: plan.digest })
    expect(denied(warnings)).toEqual(['log_statement', 'statement_timeout'])
    const kept = `SELECT array_agg(x ORDER BY x) AS settings FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase,
      unnest(setconfig) x WHERE datname = '${live.name}'`
    expect(await queryRows(live.url, kept)).toEqual([{ settings: ['lock_timeout=8s', 'work_mem=7MB'] }])
    await runSql(server.url, `ALTER ROLE ${role('guest')} IN DATABASE ${live.name} RESET ALL`)
  }, 60_000)

  it('one without rights is refused, and says on what', async () => {
    const live = await databases.make(SCHEMA)
    await using engine = await openEngine([sourceOf(server, as(live.url, 'guest'))])
    await expect(engine.backup()).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
    const own = await openEngine([sourceOf(server, live.url)])
    await own.backup()
    const sink = sinkOf({ url: as(live.url, 'guest') })
    await expect(restoreInto(own, sink)).rejects.toMatchObject({ code: 'RESTORE_BLOCKED' })
    await own.close()
    await expectNothingLeft(server, live.name)
  }, 60_000)

  it('row-level security that would hide rows is refused', async () => {
    const live = await databases.make(
      `CREATE TABLE t (x int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO PUBLIC`,
    )
    await using engine = await openEngine([sourceOf(server, as(live.url, 'reader'))])
    await expect(engine.backup()).rejects.toMatchObject({ code: 'POSTGRES_ROW_SECURITY' })
    expect(await snapshotCount(engine)).toBe(0)
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('roles that are missing', () => {
  it('block the plan, and are created with globals: true', async () => {
    const [owner, member] = [role('gone'), role('gone_member')]
    await runSql(
      server.url,
      `CREATE ROLE ${owner} LOGIN VALID UNTIL '2100-01-01'; CREATE ROLE ${member} IN ROLE ${owner}`,
    )
    const live = await databases.make(
      `CREATE TABLE t (x int); ALTER TABLE t OWNER TO ${owner}; GRANT SELECT ON t TO ${member}`,
    )
    await using engine = await openEngine([sourceOf(server, live.url)])
    await engine.backup()
    const before = await dumpText(server.binDir, live.url)
    await runSql(live.url, `DROP TABLE t; DROP ROLE ${owner}, ${member}`)
    await expect(restoreInto(engine, sinkOf(live))).rejects.toMatchObject({ code: 'RESTORE_BLOCKED' })
    await restoreInto(engine, sinkOf(live, { globals: true }))
    expect(await dumpText(server.binDir, live.url)).toBe(before)
    const found = await queryRows(
      server.url,
      'SELECT rolcanlogin, rolvaliduntil IS NOT NULL AS until FROM pg_roles WHERE rolname = $1',
      [owner],
    )
    expect(found).toEqual([{ rolcanlogin: true, until: true }])
    const memberships = `SELECT pg_has_role('${member}', '${owner}', 'MEMBER') AS is`
    expect(await queryRows(server.url, memberships)).toEqual([{ is: true }])
  }, 60_000)
})

/** Back from a drop, through databases that are made anew. */
async function comeBack(on: TestServer, names: readonly string[]): Promise<void> {
  const dumps = (): Promise<string[]> =>
    Promise.all(names.map((name) => dumpText(on.binDir, urlOf(on, name), { database: true })))
  await using engine = await openEngine([sourceOf(on, on.url, { databases: names })])
  await engine.backup()
  const before = await dumps()
  for (const name of names) await runSql(on.url, `DROP DATABASE "${name}" WITH (FORCE)`)
  const drill = await engine.drill({ sinks: { main: sinkOf(on) } })
  expect(drill.findings).toEqual([])
  const restored = await restoreInto(engine, sinkOf(on))
  expect(restored.warnings).toEqual([])
  expect(await dumps()).toEqual(before)
}

describe('encodings and locales', () => {
  it('LATIN1, and SQL_ASCII with bytes that are no text', async () => {
    const latin = await databases.make('', { with: "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0" })
    await runSql(
      latin.url,
      `CREATE TABLE "é" ("ü" text DEFAULT 'ß'); INSERT INTO "é" VALUES ('naïve'), (chr(255)); COMMENT ON TABLE "é" IS 'Ä'`,
    )
    const bytes = await databases.make('', { with: "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0" })
    await withClient(bytes.url, async (client) => {
      await client.query("SET client_encoding = 'SQL_ASCII'; CREATE TABLE t (x text)")
      await client.query(`INSERT INTO t VALUES (E'\\xff\\xfe\\x80'), (E'a\\xc3b'), ('plain')`)
    })
    await comeBack(server, [latin.name, bytes.name])
    const found = await queryRows(bytes.url, "SELECT string_agg(encode(x::bytea, 'hex'), ' ' ORDER BY x) AS hex FROM t")
    expect(found).toEqual([{ hex: '61c362 706c61696e fffe80' }])
  }, 60_000)

  it.each(MAJORS.filter((major) => major >= 15))(
    'ICU, and builtin where there is one, on %i',
    async (major) => {
      const own = await startMajor(major)
      try {
        const wanted = ["LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C'"]
        if (major >= 16) wanted.push("LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&a < g' LOCALE 'C'")
        if (major >= 17) wanted.push("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'")
        for (const [at, locale] of wanted.entries()) {
          const name = `locale_${at}`
          await runSql(own.url, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' ${locale}`)
          await runSql(
            urlOf(own, name),
            `CREATE TABLE t (x text PRIMARY KEY); INSERT INTO t VALUES ('ä'), ('z'), ('a')`,
          )
        }
        await comeBack(
          own,
          wanted.map((_, at) => `locale_${at}`),
        )
      } finally {
        await own.stop()
      }
    },
    60_000,
  )
})
