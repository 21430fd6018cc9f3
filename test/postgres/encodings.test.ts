/** Rows are kept in the encoding of their database: what has no UTF-8 form comes back, by every way there is. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEngine, SourceEntry } from '../../src/index.ts'
import { diffRows, plainDump } from '../../src/sources/postgres/index.ts'
import { scratch } from '../faults/support.ts'
import { queryRows, runSql, startPostgres, type TestServer } from '../servers/postgres.ts'
import { bent, Databases, openEngine, restoreInto, sinkOf, sourceOf } from './support.ts'

const run = promisify(execFile)
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

const like = (encoding: string) => ({ with: `ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0` })
/** 0x81 is no character of WIN1252, and Postgres stores it all the same; 0x80 is the euro. */
const GRUESSE = `CREATE TABLE "grüße" (id int PRIMARY KEY, "ä" text);
  INSERT INTO "grüße" VALUES (1, convert_from('\\x81'::bytea, 'WIN1252')), (2, convert_from('\\x80'::bytea, 'WIN1252'))`
const bytesOf = async (url: string): Promise<unknown> =>
  (await queryRows(url, `SELECT string_agg(convert_to("ä", 'WIN1252')::text, ' ' ORDER BY id) AS hex FROM "grüße"`))[0]
const HEX = { hex: '\\x81 \\x80' }

async function psql(url: string, file: string, cwd = place.path): Promise<void> {
  const args = ['-qX', '--set=ON_ERROR_STOP=1', `--dbname=${url}`, `--file=${file}`]
  expect((await run(join(server.binDir, 'psql'), args, { cwd })).stderr).toBe('')
}

async function expectEveryWayBack(engine: BackupEngine, url: string): Promise<void> {
  const folder = await engine.planRestore({ snapshot: 'latest', to: { folder: place.at('restored') } })
  await engine.restore(folder, { confirm: folder.digest })
  const fromFolder = await databases.make('', like('WIN1252'))
  await psql(fromFolder.url, 'pg_dump/restore.sql', place.at('restored', 'main'))
  const fromDump = await databases.make('', like('WIN1252'))
  await pipeline(plainDump(engine, { snapshot: 'latest', source: 'main' }), createWriteStream(place.at('dump.sql')))
  await psql(fromDump.url, place.at('dump.sql'))
  for (const copy of [fromFolder, fromDump]) expect(await bytesOf(copy.url)).toEqual(HEX)
  await restoreInto(engine, sinkOf({ url }, { check: 'hashes' }), { select: { include: ['main/public'] } })
  expect(await bytesOf(url)).toEqual(HEX)
  await runSql(url, 'DROP TABLE "grüße"')
  await restoreInto(engine, sinkOf({ url }, { check: 'hashes' }))
  expect(await bytesOf(url)).toEqual(HEX)
}

describe('rows of a database in WIN1252', () => {
  it('come back byte for byte, also those that are no text', async () => {
    const live = await databases.make(GRUESSE, like('WIN1252'))
    const engine = await openEngine([sourceOf(server, live.url)])
    const { snapshot } = await engine.backup()
    expect((await engine.drill({ sinks: { main: sinkOf(live) } })).findings).toEqual([])
    await expectEveryWayBack(engine, live.url)
    await runSql(live.url, `UPDATE "grüße" SET "ä" = 'ß' WHERE id = 2`)
    await engine.backup()
    const changes: unknown[] = []
    const compared = { base: snapshot.id, head: 'latest', table: 'main/public/grüße' }
    for await (const change of diffRows(engine, compared)) changes.push(change)
    expect(changes).toMatchObject([{ before: { ä: '€' }, after: { ä: 'ß' } }])
    await engine.close()
  }, 60_000)

  it('come back from snapshots that hold them as UTF-8', async () => {
    const live = await databases.make(
      `CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, 'née')`,
      like('LATIN1'),
    )
    const asBefore = (entry: SourceEntry): SourceEntry => {
      const { encoding: _, ...facts } = entry.facts ?? {}
      const { content } = entry
      if (content?.from !== 'stream' || entry.type !== 'rows') return { ...entry, facts }
      async function* open(options: { signal: AbortSignal }): AsyncGenerator<Uint8Array> {
        if (content?.from !== 'stream') return
        for await (const piece of await content.open(options)) yield Buffer.from(Buffer.from(piece).toString('latin1'))
      }
      return { ...entry, facts, content: { ...content, open } }
    }
    const engine = await openEngine([bent(sourceOf(server, live.url), asBefore)])
    await engine.backup()
    await runSql(live.url, 'DROP TABLE t')
    await restoreInto(engine, sinkOf(live, { check: 'hashes' }))
    expect(await queryRows(live.url, 'SELECT x FROM t')).toEqual([{ x: 'née' }])
    await engine.close()
  }, 60_000)
})

describe('amounts of money', () => {
  it('are printed and read alike, whatever the locale of the server', async () => {
    const live = await databases.make(
      `CREATE TABLE paid (amount money DEFAULT '7.50'); INSERT INTO paid VALUES ('1234.56')`,
    )
    await runSql(server.url, `ALTER DATABASE ${live.name} SET lc_monetary = 'C.UTF-8'`)
    const seen: unknown[] = []
    const look = async (client: unknown): Promise<void> => {
      const { rows } = await (client as { query(sql: string): Promise<{ rows: unknown[] }> }).query('SHOW lc_monetary')
      seen.push(rows[0])
    }
    const engine = await openEngine([sourceOf(server, live.url, { hooks: { afterSnapshot: look } })])
    await engine.backup()
    expect(seen).toEqual([{ lc_monetary: 'C' }])
    const checks = [{ name: 'as it was read', sql: `SELECT current_setting('lc_monetary')`, expect: 'C' }]
    await restoreInto(engine, sinkOf(live, { checks, check: 'hashes' }))
    expect(await queryRows(live.url, 'SELECT amount::numeric::text AS amount FROM paid')).toEqual([
      { amount: '1234.56' },
    ])
    await restoreInto(engine, sinkOf(live, { checks }), { select: { include: ['main/public/paid'] } })
    await engine.close()
  }, 60_000)
})
