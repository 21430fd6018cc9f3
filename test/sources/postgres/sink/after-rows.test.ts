/** Indexes and statistics that are made while other tables are still loaded. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Databases, openEngine, restoreInto, sinkOf, sourceOf, urlOf } from '../../../postgres/support.ts'
import { queryRows, runSql, startPostgres, type TestServer } from '../../../servers/postgres.ts'

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

/** `words` is the largest and is loaded first; what its second index holds is in `ranks`, which is loaded last. */
const SQL = `
  CREATE TABLE ranks (word text PRIMARY KEY, rank int);
  INSERT INTO ranks VALUES ('word 7', 1);
  CREATE FUNCTION rank_of(text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT rank FROM public.ranks WHERE word = $1';
  CREATE TABLE words (id int PRIMARY KEY, word text);
  INSERT INTO words SELECT i, 'word ' || i FROM generate_series(1, 5000) i;
  CREATE INDEX words_word ON words (word) INCLUDE (id);
  CREATE INDEX words_rank ON words (public.rank_of(word));
  CREATE TABLE parent (id int PRIMARY KEY);
  CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
  INSERT INTO child SELECT generate_series(1, 2000);
  CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (500) TO (1000);
  INSERT INTO parts SELECT generate_series(1, 999);`

const STATISTICS = [
  'child',
  'parent and below',
  'parts and below',
  'parts_1',
  'parts_2',
  'ranks',
  'words',
  'words_rank',
]

it('an index whose function reads another table holds what it did; all tables have statistics', async () => {
  const { url, name } = await databases.make()
  await runSql(url, SQL)
  const engine = await openEngine([sourceOf(server, url)])
  const restored = `${name}_new`
  try {
    await engine.backup()
    for (const jobs of [1, 4]) {
      await restoreInto(engine, sinkOf(server, { strategy: 'new-database', database: restored, jobs }))
      const target = urlOf(server, restored)
      await runSql(server.url, `ALTER DATABASE ${restored} SET enable_seqscan = off`)
      expect(await queryRows(target, 'SELECT id FROM words WHERE public.rank_of(word) = 1')).toEqual([{ id: 7 }])
      const measured = await queryRows<{ name: string }>(
        target,
        "SELECT DISTINCT tablename || CASE WHEN inherited THEN ' and below' ELSE '' END AS name FROM pg_stats WHERE schemaname = 'public' ORDER BY 1",
      )
      expect(measured.map((row) => row.name)).toEqual(STATISTICS)
      await runSql(server.url, `DROP DATABASE ${restored}`)
    }
  } finally {
    await engine.close()
    await runSql(server.url, `DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`)
  }
}, 60_000)
