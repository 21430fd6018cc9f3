import { afterAll, beforeAll, expect, it } from 'vitest'
import { doctor } from '../../../src/sources/postgres/postgres.ts'
import { startPostgres, type TestServer } from '../../servers/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

it('a missing client is a finding with its fix, unless none is needed', async () => {
  const options = { name: 'db', connectionString: server.url, binDir: '/nowhere' }
  const found = (await doctor(options)).find(({ code }) => code === 'POSTGRES_CLIENT_MISSING')
  expect(found).toMatchObject({ severity: 'error', fix: expect.stringContaining('binDir') })
  expect((await doctor({ ...options, dataOnly: true })).map(({ code }) => code)).not.toContain(
    'POSTGRES_CLIENT_MISSING',
  )
})
