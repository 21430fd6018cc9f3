/** Proves the target right: `node --test examples/custom-target/http-target.test.ts` */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { memorySource, targetConformance, testEngine } from 'holdfast/testing'
import { httpTarget } from './http-target.ts'
import { type ObjectServer, startObjectServer } from './object-server.ts'

describe('httpTarget', () => {
  let server: ObjectServer
  before(async () => {
    server = await startObjectServer()
  })
  after(() => server.close())

  targetConformance(
    { describe, it },
    {
      create: () => httpTarget(server.url),
      outage: async () => server.outage(),
      processes: () => ({
        module: new URL('./http-target.ts', import.meta.url),
        export: 'httpTarget',
        options: server.url,
      }),
      onCard: (card) => console.log(card),
    },
  )

  it('holds a repository', async () => {
    const source = memorySource({ name: 'notes', files: { 'one.txt': 'first', 'two.txt': 'second' } })
    await using engine = await testEngine({ target: httpTarget(server.url), sources: [source] })
    await engine.backup()
    const { sound } = await engine.verify({ level: 'data' })
    assert.equal(sound, true)
  })

  it('says what an answer means', async () => {
    const nowhere = httpTarget('http://127.0.0.1:1/')
    await assert.rejects(nowhere.get('a'), { code: 'TARGET_UNREACHABLE', retryable: true })
    const end = server.outage()
    await assert.rejects(httpTarget(server.url).get('a'), { code: 'TARGET_THROTTLED', retryable: true })
    end()
  })
})
