/**
 * One process that opens the repository and looks at it, through the built package and a target that answers after some
 * milliseconds: `node bench/open/child.ts REPOSITORY DATA CACHE|none LATENCY_MS`. Prints one line of JSON.
 */
const { BackupEngine, filesystem, localTarget, rawKey } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof import('../../src/index.ts')
const { countingTarget } = (await import(
  new URL('../../dist/testing.js', import.meta.url).href
)) as typeof import('../../src/testing/index.ts')
type Target = import('../../src/index.ts').Target

const [repository = '', data = '', cache = 'none', latency = '0'] = process.argv.slice(2)
const latencyMs = Number(latency)
const wait = (): Promise<void> => new Promise((wake) => setTimeout(wake, latencyMs))

function farAway(inner: Target): Target {
  return {
    ...inner,
    apiVersion: 1,
    name: 'far away',
    traits: { ...inner.traits, remote: true, maxConcurrency: 32 },
    put: (key, body, call) => wait().then(() => inner.put(key, body, call)),
    get: (key, call) => wait().then(() => inner.get(key, call)),
    stat: (key, call) => wait().then(() => inner.stat(key, call)),
    delete: (keys, call) => wait().then(() => inner.delete(keys, call)),
    async *list(prefix, call) {
      let count = 0
      for await (const info of inner.list(prefix, call)) {
        if (count++ % 1000 === 0) await wait()
        yield info
      }
      if (count === 0) await wait()
    },
    close: () => inner.close(),
  }
}

const target = countingTarget(farAway(localTarget(repository)))
/** Pages of lists beyond the first are no calls of their own here: index/ alone can have more. */
const { readdirSync } = await import('node:fs')
const morePages = Math.ceil(readdirSync(`${repository}/index`).length / 1000) - 1

async function step<T>(body: () => Promise<T>): Promise<{ value: T; ms: number; requests: number; bytes: number }> {
  target.reset()
  const started = performance.now()
  const value = await body()
  const ms = performance.now() - started
  const lists = target.count('list', 'index/')
  const bytes = target.operations.reduce((sum, { operation, bytes = 0 }) => sum + (operation === 'get' ? bytes : 0), 0)
  return { value, ms, requests: target.operations.length + lists * morePages, bytes }
}

const open = await step(() =>
  BackupEngine.open({
    target,
    key: rawKey(new Uint8Array(32).fill(7)),
    sources: [filesystem({ name: 'data', path: data })],
    cache: cache === 'none' ? 'none' : { directory: cache },
  }),
)
const engine = open.value
const look = await step(() => engine.entries({ snapshot: 'latest', path: 'data' }).page({ limit: 10 }))
const backup = await step(() => engine.backup())
await engine.close()
const figures = ({ ms, requests, bytes }: typeof open | typeof look | typeof backup) => ({ ms, requests, bytes })
const { maxRSS } = process.resourceUsage()
console.log(
  JSON.stringify({
    open: figures(open),
    look: figures(look),
    backup: figures(backup),
    peakBytes: maxRSS * 1024,
    unchanged: backup.value.counts.unchanged,
  }),
)
