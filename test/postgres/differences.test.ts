/** What changed between snapshots, and whether what is stored is what was read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEngine, Source } from '../../src/index.ts'
import { diffRows, type RowChange } from '../../src/sources/postgres/index.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer } from '../servers/postgres.ts'
import { bent, Databases, openEngine, sourceOf } from './support.ts'

let server: TestServer
let databases: Databases
let live: TestDatabase
let engine: BackupEngine

const TABLES = `
  CREATE TABLE by_int (id int PRIMARY KEY, t text); CREATE TABLE by_uuid (id uuid PRIMARY KEY, t text);
  CREATE TABLE by_text (id text PRIMARY KEY, t text); CREATE TABLE by_both (a int, b text, t text, PRIMARY KEY (a, b));
  INSERT INTO by_int SELECT g, g FROM generate_series(1, 5000) g;
  INSERT INTO by_uuid SELECT md5(g::text)::uuid, g FROM generate_series(1, 5000) g;
  INSERT INTO by_text SELECT 'key ' || g, g FROM generate_series(1, 5000) g;
  INSERT INTO by_both SELECT g % 10, 'b' || g, g FROM generate_series(1, 5000) g;
  CREATE TABLE still AS SELECT g FROM generate_series(1, 1000) g;
  CREATE TABLE same AS SELECT g FROM generate_series(1, 1000) g;`
/** Key of the row that came out of each number. */
const KEYS: Readonly<Record<string, string>> = {
  by_int: 'id = %',
  by_uuid: 'id = md5(%::text)::uuid',
  by_text: "id = 'key ' || %",
  by_both: "b = 'b' || %",
}

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
  live = await databases.make(TABLES)
  engine = await openEngine([sourceOf(server, live.url)])
  await engine.backup()
  for (const [table, key] of Object.entries(KEYS)) {
    const where = (n: number): string => key.replace('%', String(n))
    await runSql(
      live.url,
      `UPDATE ${table} SET t = 'changed' WHERE ${where(17)}; DELETE FROM ${table} WHERE ${where(4000)}`,
    )
  }
  await runSql(
    live.url,
    `INSERT INTO by_int VALUES (6000, 'new'); INSERT INTO by_uuid VALUES (md5('6000')::uuid, 'new');
     INSERT INTO by_text VALUES ('key 6000', E'new\\tline\\n'); INSERT INTO by_both VALUES (0, 'b6000', NULL);
     CREATE TABLE later (x int); ALTER TABLE same ADD COLUMN added int`,
  )
  await engine.backup()
}, 60_000)
afterAll(async () => {
  await engine.close()
  await databases.dropAll()
  await server.stop()
})

async function base(): Promise<string> {
  const ids: string[] = []
  for await (const { id } of engine.snapshots()) ids.push(id)
  return ids.sort()[0]!
}

describe('row by row', () => {
  it.each(Object.keys(KEYS))('%s: one changed, one added, one deleted', async (table) => {
    const changes: RowChange[] = []
    for await (const change of diffRows(engine, {
      base: await base(),
      head: 'latest',
      table: `main/public/${table}`,
    })) {
      changes.push(change)
    }
    expect(changes.map(({ type }) => type).sort()).toEqual(['added', 'deleted', 'modified'])
    const modified = changes.find(({ type }) => type === 'modified')
    expect([modified?.before?.t, modified?.after?.t]).toEqual(['17', 'changed'])
    expect(changes.find(({ type }) => type === 'deleted')?.before?.t).toBe('4000')
    const added = table === 'by_both' ? null : table === 'by_text' ? 'new\tline\n' : 'new'
    expect(changes.find(({ type }) => type === 'added')?.after?.t).toBe(added)
  })
})

describe('table by table', () => {
  it('engine.diff names what changed, and nothing else', async () => {
    const diff = await engine.diff({ base: await base(), head: 'latest' })
    const paths = new Map<string, string>()
    for await (const change of diff.changes) paths.set(change.path, change.type)
    expect(paths.get('main/public/later')).toBe('added')
    expect(paths.get('main/public/by_int/000001.copy')).toBe('modified')
    expect(paths.get('main/pg_dump/pre-data.sql')).toBe('modified')
    expect([...paths.keys()].filter((path) => path.startsWith('main/public/still'))).toEqual([])
    expect(paths.has('main/pg_dump/globals.sql')).toBe(false)
  })
})

describe('nothing', () => {
  it('is different where nothing was changed, the schema included', async () => {
    const still = await databases.make(TABLES)
    await using own = await openEngine([sourceOf(server, still.url)])
    const first = await own.backup()
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await own.backup()
    const paths: string[] = []
    const { changes } = await own.diff({ base: first.snapshot.id, head: 'latest' })
    for await (const { path, type } of changes) paths.push(`${type} ${path}`)
    expect(paths).toEqual([])
  })
})

/** A copy of the source whose range claims something else than it holds. */
function doctored(source: Source, path: string, more: Readonly<Record<string, string | number>>): Source {
  return bent(source, (entry) => {
    const { content } = entry
    if (entry.path !== path || content?.from !== 'stream') return entry
    const finish: typeof content.finish = async (proof) => ({ ...(await content.finish!(proof)), ...more })
    return { ...entry, content: { ...content, finish } }
  })
}

describe("verify with level 'content'", () => {
  it('finds nothing wrong where nothing is', async () => {
    const { sound, findings } = await engine.verify({ level: 'content' })
    expect(findings).toEqual([])
    expect(sound).toBe(true)
  })

  it.each([{ rows: 4999 }, { sha256: '0'.repeat(64) }, { bytes: 7 }])('finds %o in a table', async (claim) => {
    const path = 'public/by_int/000001.copy'
    await using own = await openEngine([doctored(sourceOf(server, live.url), path, claim as Record<string, string>)])
    await own.backup()
    const { sound, findings } = await own.verify({ level: 'content' })
    expect(sound).toBe(false)
    expect(findings.map(({ code, details }) => [code, details?.path])).toEqual([['CONTENT_MISMATCH', `main/${path}`]])
  })

  it('finds an archive of the schema that pg_restore cannot read', async () => {
    const bytes = new TextEncoder().encode('PGDMP is not all')
    const cut = bent(sourceOf(server, live.url), (entry) =>
      entry.path === 'pg_dump/schema.dump' ? { ...entry, content: { from: 'bytes', bytes } } : entry,
    )
    await using own = await openEngine([cut])
    await own.backup()
    const { sound, findings } = await own.verify({ level: 'content' })
    expect(sound).toBe(false)
    expect(findings.map(({ code, details }) => [code, details?.path])).toEqual([
      ['CONTENT_MISMATCH', 'pg_dump/schema.dump'],
    ])
  })
})
