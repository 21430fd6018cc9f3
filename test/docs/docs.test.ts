/**
 * Every block of code of README.md and docs: TypeScript is compiled against the package as built, with the examples and
 * the type tests, all in one program; then it runs, page after page, in one process, each in a folder of its own.
 */
import { execFile } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtTypes } from '../../scripts/api/api.ts'
import { type Installed, installBuilt, ROOT } from '../built-package.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  testDatabase,
} from '../servers/postgres.ts'
import { startS3, type TestS3 } from '../servers/s3.ts'
import { type TestBucket, testBucket } from '../servers/s3-bucket.ts'
import { type Block, blocksOf, pages } from './blocks.ts'
import { CONTEXTS } from './contexts.ts'
import { type Module, moduleAsItIs, moduleOf, toPages } from './modules.ts'
import { wrongLines } from './shell.ts'

/** Only type-checked here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'docs/plugins.md': 'its modules are run by node:test in test/testing/published.test.ts',
}
/** Pages with blocks of no language, which are pictures or bytes and nothing that runs. */
const PICTURES = ['docs/design.md', 'docs/format.md']
const LANGUAGES = ['ts', 'js', 'sh', 'json', '']
/** Pages with JavaScript, and what runs it. */
const RUN_ELSEWHERE: Readonly<Record<string, string>> = { 'docs/embedding.md': 'test/hosts/bundles.test.ts' }

const all = pages().flatMap(blocksOf)
const withTypes = [...new Set(all.filter(({ language }) => language === 'ts').map(({ page }) => page))]
const run = promisify(execFile)
/** By path in the folder. */
const modules = new Map<string, Module>()
let built: Installed
let database: TestDatabase
let postgresServer: TestServer
let s3: TestS3
let buckets: TestBucket[]
const at = (...path: string[]): string => join(built.folder, ...path)
const pathOf = (page: string): string => `pages/${page.replace(/\.md$/, '.ts')}`

beforeAll(async () => {
  const servers = Promise.all([startPostgres(), startS3()])
  built = await installBuilt()
  const types = await builtTypes()
  for (const name of readdirSync(types.folder).filter((each) => each.endsWith('.d.ts')))
    cpSync(join(types.folder, name), at('node_modules/holdfast/dist', name))
  types.remove()
  ;[postgresServer, s3] = await servers
  database = await testDatabase(postgresServer)
  buckets = [await testBucket(s3), await testBucket(s3)]
  writeModules()
  cpSync(join(ROOT, 'examples'), at('examples'), { recursive: true })
  cpSync(join(ROOT, 'test/api'), at('types'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') })
}, 240_000)
afterAll(async () => {
  built.remove()
  for (const name of await databasesLike()) await runSql(postgresServer.url, `DROP DATABASE "${name}" WITH (FORCE)`)
  for (const bucket of buckets) await bucket.drop()
  await Promise.all([postgresServer.stop(), s3.stop()])
})

function writeModules(): void {
  for (const page of withTypes) {
    const blocks = all.filter((block) => block.page === page && block.language === 'ts')
    if (!(page in NOT_RUN)) write(pathOf(page), moduleOf(blocks, CONTEXTS[page] ?? {}))
    else for (const block of blocks) write(`pages/${dirname(page)}/${nameOf(block)}`, moduleAsItIs(block))
  }
}

/** As its first line has it. */
function nameOf({ code }: Block): string {
  return /^\/\/ (\S+\.ts)\n/.exec(code)![1]!
}

function write(path: string, module: Module): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), module.code)
  modules.set(path, module)
}

describe('the blocks of all pages', () => {
  it('have a language that is known here, and a context if they run', () => {
    expect(all.filter(({ language }) => !LANGUAGES.includes(language))).toEqual([])
    expect(all.filter(({ language, page }) => language === '' && !PICTURES.includes(page))).toEqual([])
    const scripts = all.filter(({ language }) => language === 'js').map(({ page }) => page)
    expect(scripts).toEqual(Object.keys(RUN_ELSEWHERE))
    for (const page of scripts) expect(readFileSync(join(ROOT, RUN_ELSEWHERE[page]!), 'utf8')).toContain(page)
    expect(Object.keys(CONTEXTS).sort()).toEqual(withTypes.filter((page) => !(page in NOT_RUN)).sort())
  })

  it('are JSON where they say so', () => {
    for (const { code, language } of all) if (language === 'json') expect(() => JSON.parse(code)).not.toThrow()
  })

  it('are commands that exist, with flags that they have', () => {
    expect(wrongLines(all.filter(({ language }) => language === 'sh'))).toEqual([])
  })

  it('type-check against the built package, as do the examples and the type tests', async () => {
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { noUnusedLocals: false, typeRoots: [join(ROOT, 'node_modules/@types')], paths: {} },
      include: ['pages', 'examples', 'types'],
    }
    writeFileSync(at('tsconfig.json'), JSON.stringify(config))
    const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', built.folder]
    const said = await run(process.execPath, tsc, { cwd: built.folder }).catch((error: { stdout: string }) => error)
    expect(toPages(said.stdout, modules)).toBe('')
  }, 60_000)

  it('run, in order', async () => {
    const here = withTypes.filter((page) => !(page in NOT_RUN))
    for (const page of here) sandbox(page)
    writeFileSync(at('run.ts'), RUNNER)
    const { stdout } = await built
      .node('run.ts', here, { ...env(), PATH: `${at('bin')}:${process.env.PATH}` })
      .catch((error) => {
        throw new Error(toPages(`${error.message}\n${error.stdout}`, modules))
      })
    expect(stdout.match(/^done \S+\.md$/gm)).toEqual(here.map((page) => `done ${page}`))
    expect(stdout).toContain('SNAPSHOT_NOT_FOUND')
    expect(stdout).toContain("modified { id: '1' }")
    expect(stdout).toMatch(/\(this one\)[\s\S]*generation 2; first can read it\ndone \d+/)
    expect(await queryRows(database.url, 'SELECT * FROM orders')).toEqual([{ id: 1, t: 'uno' }])
  }, 120_000)

  it('load a database with psql, where there is one', async () => {
    const found = await run('sh', ['-c', 'command -v createdb && command -v psql']).then(
      () => true,
      () => false,
    )
    const script = all.find(({ page, code }) => page === 'docs/postgres.md' && code.startsWith('createdb'))!.code
    const shop = `${database.name}_shop`
    const { username, password, hostname, port } = new URL(database.url)
    const to = { PGUSER: username, PGPASSWORD: password, PGHOST: hostname, PGPORT: port }
    const options = { cwd: at('run/docs/postgres.md'), env: { ...process.env, ...to } }
    const named = script.replaceAll('shop', shop)
    if (found) await run('sh', ['-ec', named], options)
    else await runSql(postgresServer.url, `CREATE DATABASE "${shop}"`)
    const tables = await queryRows(
      `${postgresServer.url.replace(/\/[^/]*$/, '')}/${shop}`,
      "SELECT to_regclass('orders')::text AS t",
    )
    expect(tables).toEqual([{ t: found ? 'orders' : null }])
  }, 30_000)
})

/** A folder for a page, with what pages back up. */
function sandbox(page: string): void {
  const files = {
    '2026/a.txt': 'some content',
    'people/4711/passport.txt': 'personal',
    'exports/all-4711.csv': 'personal as well',
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(at('run', page, 'uploads', path)), { recursive: true })
    writeFileSync(at('run', page, 'uploads', path), text)
  }
  mkdirSync(at('bin'), { recursive: true })
  for (const program of ['mysqldump', 'redis-cli']) {
    writeFileSync(at('bin', program), '#!/bin/sh\necho "$0" "$@"\n')
    chmodSync(at('bin', program), 0o755)
  }
}

/** As the SDK and the pages look for it. */
function env(): Record<string, string> {
  return {
    S3_ENDPOINT: s3.endpoint,
    AWS_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    BUCKET: buckets[0]!.name,
    UPLOADS: buckets[1]!.name,
    DATABASE_URL: database.url,
    BACKUP_KEY: '05'.repeat(32),
    ZIP_PASSPHRASE: 'only for the ZIP',
  }
}

async function databasesLike(): Promise<string[]> {
  const sql = 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)'
  return (await queryRows<{ name: string }>(postgresServer.url, sql, [database.name])).map(({ name }) => name)
}

const RUNNER = `import { join } from 'node:path'
for (const page of process.argv.slice(2)) {
  process.chdir(join(import.meta.dirname, 'run', page))
  await import(join(import.meta.dirname, 'pages', page.replace(/\\.md$/, '.ts')))
  console.log('done ' + page)
}
`
