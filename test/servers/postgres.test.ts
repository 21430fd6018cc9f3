import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queryRows, startPostgres, type TestServer, testDatabase } from './postgres.ts'

let server: TestServer

beforeAll(async () => {
  server = await startPostgres()
}, 120_000)
afterAll(() => server?.stop())

describe('the Postgres of the tests', () => {
  it('answers, as the version that it says', async () => {
    const [row] = await queryRows<{ server_version: string }>(server.url, 'SHOW server_version')
    expect(row?.server_version).toContain(server.version)
    expect(server.major).toBeGreaterThanOrEqual(14)
    expect(existsSync(`${server.binDir}/pg_dump`)).toBe(true)
  })

  it('gives databases, and drops them under open sessions', async () => {
    const database = await testDatabase(server)
    const names = (): Promise<unknown[]> =>
      queryRows(server.url, 'SELECT datname FROM pg_database WHERE datname = $1', [database.name])
    expect(await names()).toHaveLength(1)
    await database.drop()
    expect(await names()).toHaveLength(0)
  })

  it('ends with the process that started it, even a killed one', async () => {
    const module = fileURLToPath(new URL('postgres.ts', import.meta.url))
    const code = `const { startPostgres } = await import(${JSON.stringify(module)})
      const { port, dataDir } = await startPostgres({ settings: {} })
      console.log(JSON.stringify({ port, dataDir })); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (bytes) => resolve(String(bytes))))
    const { port, dataDir } = JSON.parse(line) as { port: number; dataDir: string }
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    expect(await queryRows(url, 'SELECT 1')).toHaveLength(1)
    child.kill('SIGKILL')
    for (let i = 0; i < 200 && existsSync(dataDir); i++) await sleep(50)
    expect(existsSync(dataDir)).toBe(false)
    await expect(queryRows(url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/)
  })
})
