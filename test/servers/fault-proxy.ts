/**
 * A bad line to a real S3 server: an HTTP proxy that clients take for the server, and that spoils requests and answers
 * as planned. Headers, Host above all, pass as they are, so that signatures stay good.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { FaultDeck, type ProxyFault, type ProxyPlan } from './fault-deck.ts'
import type { TestS3 } from './s3.ts'
import { s3Client } from './s3-bucket.ts'

export type { ProxyFault, ProxyPlan } from './fault-deck.ts'

export interface FaultProxy {
  /** To be given to a client in place of the server's. */
  readonly endpoint: string
  /** Faults that struck, by kind. */
  readonly counts: Readonly<Partial<Record<ProxyFault, number>>>
  readonly faults: number
  readonly requests: number
  /** What strikes from now on. Counts begin anew. */
  plan(plans: readonly ProxyPlan[], seed?: number): void
  /** Sends what was held back as `late`, in its order; the status of each answer. */
  applyLate(): Promise<number[]>
  /** Throws if a planned kind struck nothing: a test of a fault that was not met proves nothing. */
  assertAllHit(): void
  close(): Promise<void>
}

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}
interface Answer {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Seconds; the shortest there is. */
const RETRY_AFTER = '1'
const S3_ERRORS = { 'slow-down': [503, 'SlowDown'], failed: [500, 'InternalError'] } as const

export async function faultProxy(server: TestS3, plans: readonly ProxyPlan[] = [], seed = 1): Promise<FaultProxy> {
  const line = new Line(server, new FaultDeck(plans, seed))
  const listener = createServer({ requestTimeout: 0 }, (request, response) => {
    line.serve(request, response).catch(() => request.socket.destroy())
  })
  const sockets = new Set<Socket>()
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get counts() {
      return line.deck.counts
    },
    get faults() {
      return line.deck.total
    },
    get requests() {
      return line.requests
    },
    plan: (next, nextSeed = 1) => line.begin(new FaultDeck(next, nextSeed)),
    applyLate: () => line.applyLate(),
    assertAllHit() {
      const missed = line.deck.missed()
      if (missed.length > 0) throw new Error(`planned faults that never struck: ${missed.join(', ')}`)
      if (line.held > 0) throw new Error(`${line.held} late requests were never applied`)
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
      line.close()
    },
  }
}

class Line {
  deck: FaultDeck
  requests = 0
  readonly #server: TestS3
  readonly #client: ReturnType<typeof s3Client>
  readonly #late: Asked[] = []
  /** By path and query: what a stale listing shows. */
  readonly #listings = new Map<string, Answer>()

  constructor(server: TestS3, deck: FaultDeck) {
    this.#server = server
    this.#client = s3Client(server)
    this.deck = deck
  }

  get held(): number {
    return this.#late.length
  }

  begin(deck: FaultDeck): void {
    this.deck = deck
    this.requests = 0
  }

  async applyLate(): Promise<number[]> {
    const statuses: number[] = []
    for (const asked of this.#late.splice(0)) statuses.push((await this.#forward(asked)).status)
    return statuses
  }

  close(): void {
    this.#client.destroy()
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++
    const { method = '', url = '', headers, rawHeaders } = request
    const asked = { method, url, headers, rawHeaders, body: await buffer(request) }
    const fault = this.deck.next(method, keyOf(url))
    if (fault === 'time-out') return
    if (fault === 'late') this.#late.push(asked)
    if (fault === 'reset' || fault === 'late') return void request.socket.destroy()
    if (fault === 'slow-down' || fault === 'failed') return refuse(response, fault)
    const answer = await this.#answer(asked, fault)
    if (fault === 'lost-reply') return void request.socket.destroy()
    give(response, method, answer, fault === 'truncated')
  }

  async #answer(asked: Asked, fault: ProxyFault | undefined): Promise<Answer> {
    if (fault === 'unconditional' && asked.headers['if-none-match'] !== undefined) return await this.#resigned(asked)
    if (fault === 'stale') return this.#listings.get(asked.url) ?? (await this.#listed(asked))
    const bent = fault === 'bent-upload' ? { ...asked, body: bend(asked.body) } : asked
    const answer = await this.#listed(bent)
    if (fault === 'bent') return { ...answer, body: bend(answer.body) }
    return fault === 'duplicated' ? { ...answer, body: twice(answer.body) } : answer
  }

  async #listed(asked: Asked): Promise<Answer> {
    const answer = await this.#forward(asked)
    if (asked.url.includes('list-type=2')) this.#listings.set(asked.url, answer)
    return answer
  }

  /** The condition is signed, so it cannot be taken out: the proxy makes a request of its own. */
  async #resigned({ url, headers, body }: Asked): Promise<Answer> {
    const [, Bucket = '', ...key] = decodeURIComponent(url.split('?')[0] ?? '').split('/')
    const Metadata = { sha256: String(headers['x-amz-meta-sha256']) }
    await this.#client.send(new PutObjectCommand({ Bucket, Key: key.join('/'), Body: body, Metadata }))
    return { status: 200, rawHeaders: ['content-length', '0'], headers: {}, body: Buffer.alloc(0) }
  }

  async #forward({ method, url, rawHeaders, body }: Asked): Promise<Answer> {
    const { hostname, port } = new URL(this.#server.endpoint)
    // The body is here already: nobody need be asked whether it may come.
    const headers = without(rawHeaders, /^(expect|connection)$/i)
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { hostname, port, method, path: url, headers: headers as string[], agent: false }
      httpRequest(options, resolve).on('error', reject).end(body)
    })
    return {
      status: reply.statusCode ?? 0,
      headers: reply.headers,
      rawHeaders: reply.rawHeaders,
      body: await buffer(reply),
    }
  }
}

/** What plans see of a request: all below the bucket. */
function keyOf(url: string): string {
  return decodeURIComponent(url).replace(/^\/[^/?]*\/?/, '')
}

function refuse(response: ServerResponse, fault: keyof typeof S3_ERRORS): void {
  const [status, code] = S3_ERRORS[fault]
  const wait = fault === 'slow-down' ? { 'retry-after': RETRY_AFTER } : {}
  response.writeHead(status, { 'content-type': 'application/xml', ...wait })
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as planned</Message></Error>`)
}

function give(response: ServerResponse, method: string, answer: Answer, isCut: boolean): void {
  const headers = without(answer.rawHeaders, /^(content-length|transfer-encoding|connection)$/i)
  // Of a HEAD the length is that of the object.
  const length = method === 'HEAD' ? String(answer.headers['content-length'] ?? 0) : String(answer.body.byteLength)
  response.writeHead(answer.status, [...headers, 'content-length', length])
  if (!isCut) return void response.end(answer.body)
  // Written out first, so that the half arrives before the end of the connection.
  response.write(answer.body.subarray(0, answer.body.byteLength >> 1), () => response.socket?.end())
}

function without(rawHeaders: readonly string[], names: RegExp): string[] {
  return rawHeaders.filter((_, i) => !names.test(rawHeaders[i - (i % 2)] ?? ''))
}

function bend(body: Buffer): Buffer {
  const bent = Buffer.from(body)
  const middle = bent.byteLength >> 1
  if (bent.byteLength > 0) bent[middle] = bent[middle]! ^ 1
  return bent
}

function twice(listing: Buffer): Buffer {
  return Buffer.from(String(listing).replaceAll(/<Contents>.*?<\/Contents>/gs, '$&$&'))
}
