/** Nobody is locked in: psql and pg_restore alone bring a snapshot back. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEngine } from '../../src/index.ts'
import { plainDump } from '../../src/sources/postgres/index.ts'
import { scratch } from '../faults/support.ts'
import { startPostgres, type TestDatabase, type TestServer } from '../servers/postgres.ts'
import { dumpText, loadEverything } from '../sources/postgres/fixtures/dump-text.ts'
import { Databases, openEngine, sourceOf } from './support.ts'

const run = promisify(execFile)
const place = scratch()
let server: TestServer
let databases: Databases
let original: TestDatabase
let engine: BackupEngine
let before: string

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
  original = await databases.make()
  await loadEverything(server.binDir, original.url)
  before = await dumpText(server.binDir, original.url)
  engine = await openEngine([sourceOf(server, original.url)])
  await engine.backup()
}, 60_000)
afterAll(async () => {
  await engine.close()
  await databases.dropAll()
  await server.stop()
})

function program(name: string, args: readonly string[], cwd = place.path): Promise<{ stdout: string; stderr: string }> {
  return run(join(server.binDir, name), [...args], { cwd, maxBuffer: 1 << 28 })
}

async function restoreFolder(of: BackupEngine): Promise<string> {
  const plan = await of.planRestore({ snapshot: 'latest', to: { folder: place.at('restored') } })
  await of.restore(plan, { confirm: plan.digest })
  return place.at('restored', 'main')
}

describe('without this package', () => {
  it('psql loads a restored folder, as the documentation says', async () => {
    const folder = await restoreFolder(engine)
    const copy = await databases.make()
    const { stderr } = await program('psql', ['-qX', `--dbname=${copy.url}`, '--file=pg_dump/restore.sql'], folder)
    expect(stderr).toBe('')
    expect(await dumpText(server.binDir, copy.url)).toBe(before)
  }, 60_000)

  it('psql loads the plain dump', async () => {
    const file = place.at('dump.sql')
    await pipeline(plainDump(engine, { snapshot: 'latest', source: 'main' }), createWriteStream(file))
    const copy = await databases.make()
    const { stderr } = await program('psql', ['-qX', '--set=ON_ERROR_STOP=1', `--dbname=${copy.url}`, `--file=${file}`])
    expect(stderr).toBe('')
    expect(await dumpText(server.binDir, copy.url)).toBe(before)
  }, 60_000)

  it('pg_restore reads the schema', async () => {
    const folder = await restoreFolder(engine)
    const { stdout } = await program('pg_restore', ['--list', join(folder, 'pg_dump/schema.dump')])
    expect(stdout).toMatch(/TABLE app /)
    const copy = await databases.make()
    await program('pg_restore', ['--exit-on-error', `--dbname=${copy.url}`, join(folder, 'pg_dump/schema.dump')])
    const args = ['--schema-only', '--no-blobs']
    expect(await dumpText(server.binDir, copy.url, { args })).toBe(
      await dumpText(server.binDir, original.url, { args }),
    )
  }, 60_000)

  it("pg_restore loads the archive of mode 'pg_dump'", async () => {
    await using own = await openEngine([sourceOf(server, original.url, { mode: 'pg_dump' })])
    await own.backup()
    expect((await own.verify({ level: 'content' })).findings).toEqual([])
    const folder = await restoreFolder(own)
    const copy = await databases.make()
    await program('pg_restore', ['--exit-on-error', `--dbname=${copy.url}`, join(folder, 'pg_dump/database.dump')])
    expect(await dumpText(server.binDir, copy.url)).toBe(before)
  }, 60_000)

  it('says so where a source is not there', async () => {
    await expect(
      pipeline(plainDump(engine, { snapshot: 'latest', source: 'other' }), createWriteStream(place.at('none.sql'))),
    ).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
  })
})
