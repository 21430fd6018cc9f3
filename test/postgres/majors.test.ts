/** A database with every kind of object goes through the engine and comes back equal, on every major. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestServer } from '../servers/postgres.ts'
import { MAJORS, startMajor } from '../servers/postgres-majors.ts'
import { dumpText, loadEverything } from '../sources/postgres/fixtures/dump-text.ts'
import { Databases, expectNothingLeft, openEngine, restoreInto, sinkOf, sourceOf } from './support.ts'

const ran: string[] = []
afterAll(() => {
  console.log(`Full round trips ran on Postgres ${ran.join(', ')}`)
})

describe.each(MAJORS)('on Postgres %i', (major) => {
  let server: TestServer
  let databases: Databases

  beforeAll(async () => {
    const started = await startMajor(major)
    ran.push(`${started.version} (${started.from})`)
    server = started
    databases = new Databases(server)
  }, 120_000)
  afterAll(() => server?.stop())

  it('everything is backed up, restored beside the live database, exchanged, and drilled', async () => {
    const original = await databases.make()
    await loadEverything(server.binDir, original.url)
    await using engine = await openEngine([sourceOf(server, original.url)])
    const backup = await engine.backup()
    expect(backup.warnings).toEqual([])
    expect((await engine.verify({ level: 'content' })).findings).toEqual([])
    const before = await dumpText(server.binDir, original.url, { database: true })
    const drill = await engine.drill({ sinks: { main: sinkOf(original) } })
    expect(drill.findings).toEqual([])
    const restored = await restoreInto(engine, sinkOf(original, { check: 'hashes', keepOldMs: 0 }))
    expect(restored.warnings).toEqual([])
    expect(await dumpText(server.binDir, original.url, { database: true })).toBe(before)
    await expectNothingLeft(server, original.name)
    await databases.dropAll()
  }, 60_000)
})
