/**
 * One verb of the built package in a process of its own: `node bench/zip/child.mjs backup DATA | export OUT LEVEL | idle`,
 * with BENCH_REPOSITORY in the environment. BENCH_DIST names the folder of another build than ./dist.
 */
import { pathToFileURL } from 'node:url'

const DIST = process.env.BENCH_DIST
  ? pathToFileURL(`${process.env.BENCH_DIST}/`)
  : new URL('../../dist/', import.meta.url)
const { BackupEngine, filesystem, localTarget, rawKey } = await import(new URL('index.js', DIST).href)

const [verb, place = '', level = '0'] = process.argv.slice(2)
const engine = await BackupEngine.open({
  target: localTarget(process.env.BENCH_REPOSITORY ?? ''),
  key: rawKey(new Uint8Array(32).fill(7)),
  sources: verb === 'backup' ? [filesystem({ name: 'data', path: place })] : [],
})
const started = performance.now()
let bytes = 0
if (verb === 'backup') await engine.backup()
else if (verb === 'export') {
  const to = { path: place }
  bytes = (await engine.exportZip({ snapshot: 'latest', to, compressionLevel: Number(level) })).bytes
} else if (verb === 'idle') await engine.entries({ snapshot: 'latest', path: 'data' }).page({ limit: 1 })
else throw new Error(`unknown verb: ${verb}`)
console.log(JSON.stringify({ ms: performance.now() - started, bytes }))
await engine.close()
