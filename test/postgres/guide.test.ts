/** Every TypeScript block of docs/postgres.md type-checks and runs, in order, against a server and the built package. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, installBuilt, ROOT } from '../built-package.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  testDatabase,
} from '../servers/postgres.ts'

const guide = readFileSync(join(ROOT, 'docs/postgres.md'), 'utf8')
const blocks = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)
const IMPORT = /^import .*\n/gm
/** What a block takes for granted. */
const BEFORE = new Map([
  [
    'diffRows(',
    `await client.connect()
     const base = (await engine.backup()).snapshot.id
     await client.query("UPDATE orders SET t = 'uno' WHERE id = 1")
     await engine.backup()`,
  ],
])

let built: Installed
let server: TestServer
let database: TestDatabase
const before = process.env.DATABASE_URL

beforeAll(async () => {
  server = await startPostgres()
  database = await testDatabase(server)
  await runSql(database.url, "CREATE TABLE orders (id int PRIMARY KEY, t text); INSERT INTO orders VALUES (1, 'one')")
  built = await installBuilt()
  mkdirSync(join(built.folder, 'uploads'))
  writeFileSync(join(built.folder, 'uploads/a.txt'), 'some content')
  writeFileSync(join(built.folder, 'guide.ts'), script())
  process.env.DATABASE_URL = database.url
})
afterAll(async () => {
  if (before === undefined) delete process.env.DATABASE_URL
  else process.env.DATABASE_URL = before
  built.remove()
  for (const name of await databasesLike(database.name))
    await runSql(server.url, `DROP DATABASE "${name}" WITH (FORCE)`)
  await server.stop()
})

/** Blocks share the engine of the first one; names of their own stay theirs. */
function script(): string {
  const [first, ...rest] = blocks.map((code) => code.replaceAll(IMPORT, ''))
  const imports = new Set(blocks.flatMap((code) => code.match(IMPORT) ?? []))
  const before = (code: string): string => [...BEFORE].find(([name]) => code.includes(name))?.[1] ?? ''
  return [
    ...imports,
    "import pg from 'pg'",
    'const client = new pg.Client({ connectionString: process.env.DATABASE_URL })',
    first,
    ...rest.map((code) => `{\n${before(code)}\n${code}}`),
    'await client.end()',
    'await engine.close()',
    "console.log('the end')",
    '',
  ].join('\n')
}

async function databasesLike(name: string): Promise<string[]> {
  const sql = 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)'
  return (await queryRows<{ name: string }>(server.url, sql, [name])).map((row) => row.name)
}

describe('docs/postgres.md', () => {
  it('has blocks that type-check', async () => {
    const types = {
      holdfast: [join(ROOT, 'src/index.ts')],
      'holdfast/postgres': [join(ROOT, 'src/sources/postgres/index.ts')],
    }
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { noUnusedLocals: false, typeRoots: [join(ROOT, 'node_modules/@types')], paths: types },
      include: ['*.ts'],
    }
    writeFileSync(join(built.folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = promisify(execFile)(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      built.folder,
    ])
    await expect(tsc.catch((error) => Promise.reject(new Error(error.stdout)))).resolves.toMatchObject({ stdout: '' })
  }, 60_000)

  it('has blocks that run, in order', async () => {
    const { stdout } = await built.node('guide.ts')
    expect(stdout).toContain("modified { id: '1' }")
    expect(stdout).toMatch(/\nthe end\n$/)
    expect(await queryRows(database.url, 'SELECT * FROM orders')).toEqual([{ id: 1, t: 'uno' }])
    // Beside the live one, which is the restored one by now, lies the one that it took the place of.
    expect(await databasesLike(database.name)).toHaveLength(2)
  }, 60_000)
})
