/** Answers of whatever stands in front of a store: a proxy whose store is being started, a page that says "back soon". */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/index.ts'
import { s3Target } from '../../../src/targets/s3/index.ts'

const PAGE = '<!DOCTYPE html><html><head><title>Back soon</title></head><body><p>Back soon</p></body></html>'
const ANSWERS: Readonly<Record<string, { status: number; body: string }>> = {
  'a page': { status: 200, body: PAGE },
  'an empty page': { status: 200, body: '' },
  'a line of text': { status: 404, body: '404 page not found\n' },
  'a page that says it is not there': { status: 404, body: PAGE },
}

let server: Server
let target: Target
let answer = { status: 200, body: '' }

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url?.includes('seen')) response.setHeader('etag', '"etag"')
      response.writeHead(answer.status).end(request.method === 'HEAD' ? undefined : answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'test', secretAccessKey: 'testtesttest' }
  target = s3Target({ bucket: 'bucket', provider: 'ceph', endpoint, credentials })
  // From now on it believes a HEAD that says 404.
  expect(await target.stat('runs/seen')).toBeDefined()
})

afterAll(async () => {
  await target.close()
  server.closeAllConnections()
  server.close()
})

async function listed(prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys
}

describe.each(Object.keys(ANSWERS))('%s in place of an answer', (name) => {
  it.each<[string, () => Promise<unknown>]>([
    ['an empty listing', () => listed('snapshots/')],
    ['an object that is not there, or another', () => target.get('runs/x')],
    ['what is stored', () => target.stat('runs/x')],
    ['a put that has happened', () => target.put('index/x', new Uint8Array(3))],
    ['one object that is deleted', () => target.delete(['packs/x'])],
    ['many that are deleted', () => target.delete(['packs/x', 'packs/y'])],
    ['a commit', () => target.put('snapshots/x', new Uint8Array(3), { ifAbsent: true })],
  ])('is not taken for %s', async (_, call) => {
    answer = ANSWERS[name]!
    await expect(call()).rejects.toMatchObject({ code: 'TARGET_PROTOCOL', retryable: true })
  })
})
