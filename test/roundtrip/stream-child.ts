/**
 * A process that backs up a generated stream of text. Arguments: bytes, streams at once. Writes what it took as JSON. Packs are
 * dropped, so that memory is the engine's alone.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { BackupEngine, defineSource, memoryTarget, rawKey, workerPool, wrapTarget } from '../../src/index.ts'

const [bytes, concurrency] = process.argv.slice(2).map(Number) as [number, number]
const STREAMS = 4

async function* text(stream: number, size: number): AsyncGenerator<Uint8Array> {
  let row = 0
  for (let sent = 0; sent < size; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(64 * 1024, size - sent)).fill('a row that is long enough\n')
    for (let at = 0; at + 20 < piece.length; at += 2000) piece.write(`${stream}\t${row++ * 7919}\n`, at, 'latin1')
    sent += piece.length
    yield piece
  }
}

const source = (total: number) =>
  defineSource({
    name: 'db',
    kind: 'generated',
    open: async () => ({
      concurrency,
      describe: async () => ({}),
      async *entries() {
        const size = total / STREAMS
        yield Array.from({ length: STREAMS }, (_, i) => ({
          path: `t/${i}`,
          type: 'rows',
          size,
          content: {
            from: 'stream' as const,
            chunks: 'table' as const,
            open: () => text(i, size),
            finish: ({ lineFeeds }: { lineFeeds: number }) => ({ lineFeeds }),
          },
        }))
      },
      async [Symbol.asyncDispose]() {},
    }),
  })

const inner = memoryTarget()
const sizes = new Map<string, number>()
const target = wrapTarget(inner, {
  put: async (key, body, options) => {
    if (!key.startsWith('packs/')) return inner.put(key, body, options)
    sizes.set(key, body.length)
    return true
  },
  stat: async (key, options) =>
    sizes.has(key) ? { key, size: sizes.get(key)!, modifiedAt: new Date() } : inner.stat(key, options),
})
const pool = workerPool({ threads: 2 })
const engine = await BackupEngine.open({ target, key: rawKey(new Uint8Array(32).fill(7)), workers: pool, sources: [] })
// Threads and code are there before it counts.
await engine.backup({ sources: [source(4_000_000)] })
const before = process.memoryUsage.rss()
let most = before
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss())
}, 10)
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const { counts } = await engine.backup({ sources: [source(bytes)], parent: 'none' })
delay.disable()
clearInterval(watch)
await engine.close()
await pool.close()
process.stdout.write(
  JSON.stringify({ sourceBytes: counts.sourceBytes, rssBytes: most - before, p99Ms: delay.percentile(99) / 1e6 }),
)
