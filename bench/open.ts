/**
 * What it takes to open a large repository: `npm run bench:open -- [--bytes N] [--chunk-bytes N] [--fragment-bytes N]
 * [--latency MS] [--rounds N] [--dir FOLDER]`. The index is invented, as of a repository of `--bytes` (default 1 TB, chunks
 * of 400,000 bytes); each process is a new one, cold (an empty cache), then warm (the cache that the cold one left).
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BackupEngine, filesystem, localTarget } from '../src/index.ts'
import { positive } from './data.ts'
import { describeMachine, ensureBuilt } from './machine.ts'
import { measure } from './measure.ts'
import { benchKey, simulateIndex, writeSmallTree } from './open/simulate.ts'
import { describeCpu, table } from './table.ts'

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '1e12' },
    'chunk-bytes': { type: 'string', default: '400000' },
    'fragment-bytes': { type: 'string', default: String(32 * 2 ** 20) },
    latency: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    dir: { type: 'string', default: '.bench' },
  },
})
const latencyMs = positive('latency', values.latency)
const rounds = positive('rounds', values.rounds)

interface Step {
  readonly ms: number
  readonly requests: number
  readonly bytes: number
}
interface Opened {
  readonly open: Step
  readonly look: Step
  readonly backup: Step
  readonly peakBytes: number
}

mkdirSync(values.dir, { recursive: true })
const machine = await describeMachine(values.dir)
ensureBuilt()
const place = mkdtempSync(join(resolve(values.dir), 'open-'))
const [repository, data] = [join(place, 'repository'), join(place, 'data')]

async function prepare(): Promise<string> {
  writeSmallTree(data)
  const sources = [filesystem({ name: 'data', path: data })]
  const engine = await BackupEngine.open({
    target: localTarget(repository),
    key: benchKey(),
    sources,
    workers: 'inline',
  })
  // What was written within the last two seconds is read again: the second run sees it unchanged.
  await new Promise((wake) => setTimeout(wake, 2500))
  await engine.backup()
  await engine.close()
  const { packs, chunks, fragments, indexBytes } = await simulateIndex(repository, {
    bytes: positive('bytes', values.bytes),
    chunkBytes: positive('chunk-bytes', values['chunk-bytes']),
    fragmentBytes: positive('fragment-bytes', values['fragment-bytes']),
  })
  return `${packs} packs, ${chunks} chunks, index of ${(indexBytes / 1e6).toFixed(1)} MB in ${fragments} fragments and one`
}

async function openOnce(cache: string): Promise<Opened> {
  const child = fileURLToPath(new URL('./open/child.ts', import.meta.url))
  const args = [child, repository, data, cache, String(latencyMs)]
  return JSON.parse((await measure({ file: process.execPath, args })).stdout) as Opened
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

function rowsOf(name: string, runs: readonly Opened[]): string[][] {
  const step = (what: string, pick: (run: Opened) => Step): string[] => [
    `${name}: ${what}`,
    String(median(runs.map((run) => pick(run).requests))),
    `${(median(runs.map((run) => pick(run).bytes)) / 1e6).toFixed(1)} MB`,
    `${median(runs.map((run) => pick(run).ms)).toFixed(0)} ms`,
  ]
  return [
    step('open', ({ open }) => open),
    step('first look (loads the index)', ({ look }) => look),
    step('unchanged backup', ({ backup }) => backup),
    [`${name}: peak memory`, '', '', `${(median(runs.map(({ peakBytes }) => peakBytes)) / 1e6).toFixed(0)} MB`],
  ]
}

try {
  const what = await prepare()
  const [cold, warm]: [Opened[], Opened[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const cache = join(place, `cache-${round}`)
    cold.push(await openOnce(cache))
    warm.push(await openOnce(cache))
  }
  console.log(`- Machine: ${describeCpu(machine)}`)
  console.log(`- ${what}; each request takes ${latencyMs} ms longer than the local disk; medians of ${rounds} rounds\n`)
  console.log(table(['', 'requests', 'fetched', 'took'], [...rowsOf('cold', cold), ...rowsOf('warm', warm)]))
} finally {
  rmSync(place, { recursive: true, force: true })
}
