/** A small HTTP server that keeps objects in memory: PUT, GET, HEAD, DELETE, listings in pages, and create-once. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const PAGE = 500

export interface ObjectServer {
  readonly url: string
  /** Answers 503 to everything, until the function is called, which says how many requests came meanwhile. */
  outage(): () => number
  close(): Promise<void>
}

export async function startObjectServer(): Promise<ObjectServer> {
  const objects = new Map<string, Buffer>()
  let refused: number | undefined
  const server = createServer(async (request, response) => {
    if (refused !== undefined) {
      refused++
      request.resume()
      response.writeHead(503).end()
      return
    }
    // A client that gave up half way has put nothing.
    const body = await bodyOf(request).catch(() => undefined)
    if (body !== undefined) answer(objects, request, response, body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    outage() {
      refused = 0
      return () => {
        const count = refused ?? 0
        refused = undefined
        return count
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

function answer(objects: Map<string, Buffer>, request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const key = decodeURIComponent(url.pathname.slice(1))
  const found = objects.get(key)
  if (key === '') {
    response.end(listing(objects, url.searchParams))
  } else if (request.method === 'PUT') {
    const taken = request.headers['if-none-match'] === '*' && found !== undefined
    if (!taken) objects.set(key, body)
    response.writeHead(taken ? 412 : 201).end()
  } else if (request.method === 'DELETE') {
    response.writeHead(objects.delete(key) ? 204 : 404).end()
  } else if (found === undefined) {
    response.writeHead(404).end()
  } else {
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const part = start === undefined ? found : found.subarray(Number(start), Number(end) + 1)
    if (part.length === 0 && start !== undefined) response.writeHead(416).end()
    else response.writeHead(start === undefined ? 200 : 206, { 'content-length': part.length }).end(part)
  }
}

function listing(objects: Map<string, Buffer>, query: URLSearchParams): string {
  const [prefix, after] = [query.get('prefix') ?? '', query.get('after') ?? '']
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
  const page = keys.slice(0, PAGE).map((key) => ({ key, size: objects.get(key)?.length ?? 0 }))
  return JSON.stringify({ objects: page, more: keys.length > PAGE })
}
