import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PostgresOptions } from '../../../src/sources/postgres/postgres.ts'
import { takesRestrictKey } from '../../../src/sources/postgres/restrict-key.ts'
import { cutSchema } from '../../../src/sources/postgres/schema-cut.ts'
import { startPostgres, type TestDatabase, type TestServer, testDatabase } from '../../servers/postgres.ts'
import { loadEverything } from './fixtures/dump-text.ts'
import { readSource } from './read-source.ts'

const SECTIONS = ['--section=pre-data', '--section=post-data']
let server: TestServer
let database: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  database = await testDatabase(server)
  await loadEverything(server.binDir, database.url)
})
afterAll(async () => {
  await database.drop()
  await server.stop()
})

async function pgDump(args: string[], key: string, part: 'early' | 'late'): Promise<string> {
  const all = ['--format=plain', '--encoding=UTF8', '--no-blobs', ...args, ...(key && [`--restrict-key=${key}`])]
  const { stdout } = await promisify(execFile)(join(server.binDir, 'pg_dump'), [...all, database.url], {
    maxBuffer: 1 << 26,
  })
  const pieces: Uint8Array[] = []
  const whole = (async function* () {
    yield Buffer.from(stdout)
  })()
  for await (const piece of cutSchema(whole, part)) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

describe('the scripts of the schema', () => {
  const variants: [string, Partial<PostgresOptions>, string[]][] = [
    ['all of it', {}, []],
    ['without owners and rights', { noOwner: true, noPrivileges: true }, ['--no-owner', '--no-privileges']],
    ['the schema only', { schemaOnly: true }, ['--schema-only']],
    ['without the rows of some', { excludeTableData: ['app.*'] }, ['--exclude-table-data=app.*']],
    ['some schemas', { schemas: ['app'] }, ['--schema=app']],
  ]

  it.for(variants)('are what pg_dump writes of each section: %s', { timeout: 30_000 }, async ([, options, args]) => {
    const result = await readSource({ connectionString: database.url, binDir: server.binDir, ...options })
    const { version } = result.facts.client as { version: string }
    const key = takesRestrictKey(version) ? (result.facts.restrictKey as string) : ''
    const text = (name: string): string => result.get(`pg_dump/${name}`).bytes.toString()
    expect(text('pre-data.sql')).toBe(await pgDump([SECTIONS[0]!, ...args], key, 'early'))
    expect(text('post-data.sql')).toBe(await pgDump([SECTIONS[1]!, ...args], key, 'early'))
    expect(text('privileges.sql')).toBe(await pgDump([...SECTIONS, ...args], key, 'late'))
    expect(text('pre-data.sql')).toContain('CREATE TABLE app.')
    expect(result.get('pg_dump/schema.dump').bytes.subarray(0, 5).toString()).toBe('PGDMP')
  })

  it('are the same bytes each time', async () => {
    const options = { connectionString: database.url, binDir: server.binDir }
    const first = await readSource(options)
    const second = await readSource(options, { parent: first.facts })
    for (const name of ['pre-data.sql', 'post-data.sql', 'privileges.sql', 'schema.dump']) {
      expect(second.get(`pg_dump/${name}`).bytes.equals(first.get(`pg_dump/${name}`).bytes), name).toBe(true)
    }
  }, 30_000)
})
