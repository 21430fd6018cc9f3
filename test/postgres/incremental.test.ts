import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupEngine, memoryTarget, passphrase } from '../../src/index.ts'
import { postgres } from '../../src/sources/postgres/index.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer, testDatabase } from '../servers/postgres.ts'

let server: TestServer
let database: TestDatabase

beforeAll(async () => {
  server = await startPostgres({ settings: { autovacuum: 'off' } })
})
afterAll(() => server?.stop())

async function withEngine(test: (engine: BackupEngine) => Promise<void>, fullEvery = 20): Promise<void> {
  database = await testDatabase(server)
  await runSql(
    database.url,
    `CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT g, md5(g::text) FROM generate_series(1, 50000) g;
     CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other SELECT g, md5(g::text) FROM generate_series(1, 50000) g`,
  )
  const engine = await BackupEngine.open({
    target: memoryTarget(),
    key: passphrase('a passphrase'),
    sources: [postgres({ name: 'main', connectionString: database.url, incremental: 'xmin', fullEvery })],
  })
  try {
    await test(engine)
  } finally {
    await engine.close()
    await database.drop()
  }
}

async function rowsOf(engine: BackupEngine, table: string): Promise<unknown> {
  const [range] = await engine.entries({ snapshot: 'latest', path: `main/public/${table}` }).toArray()
  return range!.facts.rows
}

describe("incremental: 'xmin'", () => {
  it('reads only the tables that changed, keeps what it knows of the others, and every snapshot proves whole', async () => {
    await withEngine(async (engine) => {
      const first = await engine.backup()
      expect(first.counts.readBytes).toBeGreaterThan(3_000_000)
      const second = await engine.backup()
      expect(second.counts.readBytes).toBeLessThan(200_000)
      expect(second.counts).toMatchObject({ added: 0, modified: 0, deleted: 0, unchanged: second.counts.entries })
      expect(second.counts.newBytes).toBeLessThan(200_000)
      expect(await rowsOf(engine, 'big')).toBe(50_000)
      await runSql(database.url, "UPDATE other SET v = 'new' WHERE id = 77; DELETE FROM other WHERE id = 78")
      const third = await engine.backup()
      expect(third.counts.readBytes).toBeGreaterThan(1_500_000)
      expect(third.counts.readBytes).toBeLessThan(2_500_000)
      expect([await rowsOf(engine, 'big'), await rowsOf(engine, 'other')]).toEqual([50_000, 49_999])
      const facts = third.snapshot.sources[0]!.facts as { databases?: { rows: number }[] }
      expect(facts.databases?.[0]?.rows ?? 99_999).toBe(99_999)
      expect(await engine.verify({ level: 'content', snapshots: 'all' })).toMatchObject({ sound: true, findings: [] })
    })
  })

  it('reads everything again every few runs', async () => {
    await withEngine(async (engine) => {
      const read: boolean[] = []
      for (let run = 0; run < 5; run++) read.push((await engine.backup()).counts.readBytes > 3_000_000)
      expect(read).toEqual([true, false, true, false, true])
    }, 2)
  })

  it('a server whose disk was put back is read again, though it has overtaken its former self', async () => {
    const first = await startPostgres({ settings: { autovacuum: 'off' } })
    const place = await testDatabase(first)
    await runSql(place.url, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'), (2, 'old')`)
    // A transaction of its own: only what has ended by then is on the disk for certain.
    await runSql(place.url, 'CHECKPOINT')
    const again = await startPostgres({ settings: { autovacuum: 'off' }, dataFrom: first.dataDir! })
    const target = memoryTarget()
    const backUp = async ({ port }: TestServer): Promise<string> => {
      const url = Object.assign(new URL(place.url), { port: String(port) }).href
      const source = postgres({ name: 'main', connectionString: url, incremental: 'xmin', dataOnly: true })
      const engine = await BackupEngine.open({ target, key: passphrase('a passphrase'), sources: [source] })
      await engine.backup()
      const content = await engine.read({ snapshot: 'latest', path: 'main/public/t' })
      const rows = Buffer.concat(await content.toArray()).toString()
      await engine.close()
      return rows
    }
    try {
      const update = (server: TestServer, v: string): Promise<void> =>
        runSql(
          Object.assign(new URL(place.url), { port: String(server.port) }).href,
          `UPDATE t SET v = '${v}' WHERE id = 1`,
        )
      await update(first, 'lost')
      expect(await backUp(first)).toBe('1\tlost\n2\told\n')
      await update(again, 'new')
      for (let i = 0; i < 5; i++)
        await runSql(again.url, 'CREATE TABLE w AS SELECT generate_series(1, 50000); DROP TABLE w')
      expect(await backUp(again)).toBe('1\tnew\n2\told\n')
    } finally {
      await Promise.all([first.stop(), again.stop()])
    }
  }, 60_000)

  it('a table that was altered without writing a row is read again', async () => {
    await withEngine(async (engine) => {
      await engine.backup()
      await runSql(database.url, 'ALTER TABLE big ADD COLUMN added int DEFAULT 5')
      expect((await engine.backup()).counts.readBytes).toBeGreaterThan(1_500_000)
      const content = await engine.read({ snapshot: 'latest', path: 'main/public/big', range: { start: 0, end: 37 } })
      expect(Buffer.concat(await content.toArray()).toString()).toBe(`1\tc4ca4238a0b923820dcc509a6f75849b\t5\n`)
    })
  })
})
