/** The host: an HTTP server with a little work per request, and the engine in the same process. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { answer } from './ask.ts'

const { BackupEngine, filesystem, localTarget, passphrase } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof import('../../src/index.ts')

/** What a request should cost on an idle machine. */
const WORK_MS = 0.2
/** Sampling interval of the loop's delay. Node counts it as part of every delay, so it is taken off again. */
const RESOLUTION_MS = 5

function makeDocument(rows: number): string {
  const items = Array.from({ length: rows }, (_, i) => ({ id: i, name: `item ${i}`, price: i * 1.5, tags: ['a', 'b'] }))
  return JSON.stringify({ items })
}

/** Parses a document, changes it and prints it again: what a JSON API does all day. */
function work(document: string): string {
  const { items } = JSON.parse(document) as { items: { id: number; name: string; price: number; tags: string[] }[] }
  return JSON.stringify({ total: items.length, items: items.map((item) => ({ ...item, price: item.price * 1.19 })) })
}

function costOf(document: string): number {
  for (let i = 0; i < 500; i++) work(document)
  const started = performance.now()
  for (let i = 0; i < 500; i++) work(document)
  return (performance.now() - started) / 500
}

/** A document that costs about WORK_MS; cost grows evenly with the number of rows. */
function calibrate(): { document: string; workMs: number } {
  const rows = Math.max(1, Math.round((100 * WORK_MS) / costOf(makeDocument(100))))
  const document = makeDocument(rows)
  return { document, workMs: costOf(document) }
}

const { document, workMs } = calibrate()
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(work(document))
})
let histogram: ReturnType<typeof monitorEventLoopDelay> | undefined

export interface LoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

async function listen(): Promise<{ port: number; workMs: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, workMs }
}

function watchLoop(): void {
  histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
}

function loopDelay(): LoopDelay {
  histogram?.disable()
  const ms = (value = 0): number => Math.max(0, value / 1e6 - RESOLUTION_MS)
  return { p50Ms: ms(histogram?.percentile(50)), p99Ms: ms(histogram?.percentile(99)), maxMs: ms(histogram?.max) }
}

/** First backups with default settings, each into a new repository, until `atLeastMs` have passed. */
async function backup(task: { data: string; folder: string; atLeastMs: number }): Promise<{ bytesPerSecond: number }> {
  const started = performance.now()
  let [bytes, busyMs] = [0, 0]
  for (let i = 0; performance.now() - started < task.atLeastMs; i++) {
    const engine = await BackupEngine.open({
      target: localTarget(join(task.folder, String(i))),
      key: passphrase('a passphrase for benchmarks'),
      sources: [filesystem({ name: 'data', path: task.data })],
    })
    const { counts, durationMs } = await engine.backup()
    bytes += counts.sourceBytes
    busyMs += durationMs
    await engine.close()
  }
  return { bytesPerSecond: (bytes * 1000) / busyMs }
}

const handlers = { listen, watchLoop, loopDelay, backup }
export type ServerHandlers = typeof handlers
answer(handlers)
process.once('disconnect', () => process.exit())
