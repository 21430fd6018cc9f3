import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3Target } from '../../../src/targets/s3/index.ts'
import { targetConformance } from '../../../src/testing/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'

let server: TestS3
let bucket: TestBucket
let gate: Server
/** While it is a number, the gate is closed and counts who comes. */
let turnedAway: number | undefined

/** Passes requests on as they are: the signature covers the name that the client has for the server. */
function openGate(to: URL): Server {
  return createServer((incoming, outgoing) => {
    if (turnedAway !== undefined) {
      turnedAway++
      incoming.resume()
      outgoing.writeHead(503).end('<Error><Code>SlowDown</Code></Error>')
      return
    }
    const { method, url: path, headers } = incoming
    const onwards = request({ host: to.hostname, port: to.port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(outgoing)
    })
    onwards.on('error', () => outgoing.destroy())
    incoming.pipe(onwards)
  }).listen(0, '127.0.0.1')
}

const throughGate = () =>
  s3Target({ ...bucket.place, endpoint: `http://127.0.0.1:${(gate.address() as AddressInfo).port}` })

beforeAll(async () => {
  server = await startS3()
  bucket = await testBucket(server)
  gate = openGate(new URL(server.endpoint))
  await once(gate, 'listening')
}, 200_000)
afterAll(async () => {
  gate?.close()
  await bucket?.drop()
  await server?.stop()
})

describe('a bucket of Ceph', () => {
  targetConformance(
    { describe, it },
    {
      create: throughGate,
      outage() {
        turnedAway = 0
        return () => {
          const requests = turnedAway ?? 0
          turnedAway = undefined
          return requests
        }
      },
      onCard: async (card) => {
        const docs = await readFile(new URL('../../../docs/targets.md', import.meta.url), 'utf8')
        const plain = (text: string): string => text.replace(/[ -]+/g, ' ')
        expect(plain(docs)).toContain(plain(card.trim()))
      },
    },
  )
})

describe('a prefix, of a store that is not known', () => {
  targetConformance(
    { describe, it },
    {
      create: () => s3Target({ ...bucket.place, prefix: 'some/where', provider: 'generic', createOnce: true }),
      profile: 'quick',
    },
  )
})
