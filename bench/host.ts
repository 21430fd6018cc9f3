/**
 * What a host feels of a backup in its own process: `npm run bench:host -- [--rounds N] [--seconds N] [--rate N]
 * [--data FOLDER | --files N --bytes N --seed N | --smoke] [--dir FOLDER] [--json FILE]`.
 * Three processes: this one, the host (HTTP server and engine), and the load. Each round is: load alone, load and
 * backups, load alone again, backups alone.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cachedTree, positive, TREE_FLAGS, treeOptions } from './data.ts'
import { Child } from './host/ask.ts'
import type { LoadHandlers } from './host/load.ts'
import { type HostRound, type Phase, toMarkdown } from './host/report.ts'
import type { ServerHandlers } from './host/server.ts'
import { describeMachine, ensureBuilt } from './machine.ts'

const { values } = parseArgs({
  options: {
    ...TREE_FLAGS,
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '300' },
    data: { type: 'string' },
    dir: { type: 'string', default: '.bench' },
    json: { type: 'string' },
  },
})
const rounds = positive('rounds', values.rounds)
const phaseMs = positive('seconds', values.seconds) * 1000
const rate = positive('rate', values.rate)

mkdirSync(values.dir, { recursive: true })
// First of all, so that the load average is not our own preparation's.
const machine = await describeMachine(values.dir)
ensureBuilt()
const data = resolve(values.data ?? cachedTree(values.dir, treeOptions(values)))
const folder = mkdtempSync(join(resolve(values.dir), 'host-'))
const host = new Child<ServerHandlers>('./server.ts')
const load = new Child<LoadHandlers>('./load.ts')
let repositories = 0

const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))
const backup = (atLeastMs: number): Promise<{ bytesPerSecond: number }> =>
  host.ask('backup', { data, folder: join(folder, String(++repositories)), atLeastMs })

/** Runs `body` under load and tells what requests and the loop went through meanwhile. */
async function underLoad<T>(port: number, body: () => Promise<T>): Promise<{ phase: Phase; value: T }> {
  await host.ask('watchLoop')
  await load.ask('start', { port, rate })
  const value = await body()
  const latencies = await load.ask('stop')
  return { phase: { latencies, loop: await host.ask('loopDelay') }, value }
}

async function runRound(port: number): Promise<HostRound> {
  const before = await underLoad(port, () => sleep(phaseMs))
  const during = await underLoad(port, () => backup(phaseMs))
  const after = await underLoad(port, () => sleep(phaseMs))
  const alone = await backup(phaseMs)
  return {
    idle: [before.phase, after.phase],
    backup: during.phase,
    loadedBytesPerSecond: during.value.bytesPerSecond,
    aloneBytesPerSecond: alone.bytesPerSecond,
  }
}

try {
  const { port, workMs } = await host.ask('listen')
  // Once unmeasured, so that neither code nor data is cold.
  await underLoad(port, () => backup(1))
  const measured: HostRound[] = []
  for (let i = 1; i <= rounds; i++) {
    measured.push(await runRound(port))
    console.error(`round ${i} of ${rounds} done`)
  }
  console.log(toMarkdown({ machine, workMs, rate, rounds: measured }))
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ machine, workMs, rate, rounds: measured }, null, 2)}\n`)
} finally {
  host.end()
  load.end()
  rmSync(folder, { recursive: true, force: true })
}
