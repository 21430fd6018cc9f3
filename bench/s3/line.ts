/**
 * A line to the gateway as a process of its own: counts the requests and bytes that pass, and makes both ways longer.
 * `node bench/s3/line.ts ENDPOINT ROUND_TRIP_MS`, with IPC: says where it listens, and answers each message with what has
 * passed since the last one. Bytes go through as they are, so signatures stay good.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Traffic {
  /** By method; a GET that lists is LIST. */
  readonly requests: Record<string, number>
  /** The same by method and by what the key, or the prefix of a list, begins with: 'PUT packs'. */
  readonly kinds: Record<string, number>
  /** Requests that wait for a word of the gateway before they send their body: a round trip more. */
  readonly expecting: number
  readonly connections: number
  readonly upBytes: number
  readonly downBytes: number
}
export type LineMessage = { readonly endpoint: string } | { readonly traffic: Traffic }

/** Bytes on their way before the sender has to wait. */
const MAX_QUEUED = 8 * 1024 * 1024
const HEAD_END = '\r\n\r\n'

function nothing(): { -readonly [K in keyof Traffic]: Traffic[K] } {
  return { requests: {}, kinds: {}, expecting: 0, connections: 0, upBytes: 0, downBytes: 0 }
}
let traffic = nothing()

/** Finds the requests in what a client sends. */
class RequestCounter {
  #head = ''
  #bodyLeft = 0

  see(bytes: Buffer): void {
    traffic.upBytes += bytes.length
    let at = 0
    while (at < bytes.length) {
      const skipped = Math.min(this.#bodyLeft, bytes.length - at)
      this.#bodyLeft -= skipped
      at += skipped
      if (at === bytes.length) return
      const known = this.#head.length
      this.#head += bytes.toString('latin1', at)
      const end = this.#head.indexOf(HEAD_END)
      if (end < 0) return
      at += end + HEAD_END.length - known
      this.#count(this.#head.slice(0, end))
      this.#head = ''
    }
  }

  #count(head: string): void {
    const [method = '', path = ''] = head.split(' ', 2)
    if (/^transfer-encoding:/im.test(head)) throw new Error(`a body without a length cannot be followed: ${method}`)
    const isList = method === 'GET' && /[?&](list-type|prefix|location)\b/.test(path)
    const name = isList ? 'LIST' : method
    traffic.requests[name] = (traffic.requests[name] ?? 0) + 1
    const kind = `${name} ${areaOf(path)}`
    traffic.kinds[kind] = (traffic.kinds[kind] ?? 0) + 1
    if (/^expect:/im.test(head)) traffic.expecting++
    this.#bodyLeft = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
  }
}

/** What comes after the bucket, up to the next slash. */
function areaOf(path: string): string {
  const url = new URL(path, 'http://gateway')
  const key = url.searchParams.get('prefix') ?? decodeURIComponent(url.pathname).split('/').slice(2).join('/')
  return key.split('/')[0] || 'bucket'
}

/** One way of a connection: what comes in goes out after `delayMs`, in order. */
function forward(from: Socket, to: Socket, delayMs: number, see: (bytes: Buffer) => void, firstMs = 0): void {
  const queue: { readonly at: number; readonly bytes: Buffer | undefined }[] = []
  const opened = performance.now() + firstMs
  let queued = 0
  let isRunning = false
  const run = async (): Promise<void> => {
    isRunning = true
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const wait = next.at - performance.now()
      if (wait > 0) await sleep(wait)
      if (next.bytes === undefined) to.end()
      else {
        queued -= next.bytes.length
        if (!to.write(next.bytes) && !to.destroyed) await new Promise<void>((resolve) => onceWritable(to, resolve))
        if (queued < MAX_QUEUED) from.resume()
      }
    }
    isRunning = false
  }
  const push = (bytes: Buffer | undefined): void => {
    queue.push({ at: Math.max(performance.now(), opened) + delayMs, bytes })
    queued += bytes?.length ?? 0
    if (queued >= MAX_QUEUED) from.pause()
    if (!isRunning) void run()
  }
  from.on('data', (bytes: Buffer) => {
    see(bytes)
    push(bytes)
  })
  from.on('end', () => push(undefined))
  from.on('error', () => to.destroy())
}

function onceWritable(socket: Socket, resolve: () => void): void {
  const done = (): void => {
    socket.off('drain', done).off('close', done)
    resolve()
  }
  socket.on('drain', done).on('close', done)
}

function serve(endpoint: URL, roundTripMs: number): void {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    traffic.connections++
    const gateway = connect({
      host: endpoint.hostname,
      port: Number(endpoint.port),
      allowHalfOpen: true,
      noDelay: true,
    })
    const counter = new RequestCounter()
    // The kernel has accepted already; over a real line that takes a round trip.
    forward(client, gateway, roundTripMs / 2, (bytes) => counter.see(bytes), roundTripMs)
    forward(gateway, client, roundTripMs / 2, (bytes) => {
      traffic.downBytes += bytes.length
    })
  })
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } satisfies LineMessage)
  })
  process.on('message', () => {
    process.send?.({ traffic } satisfies LineMessage)
    traffic = nothing()
  })
  process.on('disconnect', () => process.exit())
}

const [endpoint = '', roundTrip = '0'] = process.argv.slice(2)
serve(new URL(endpoint), Number(roundTrip))
