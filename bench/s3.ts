/**
 * Compares Holdfast with restic in a bucket of a real gateway (Ceph's RGW) on this machine: `npm run bench:s3 --
 * [--rounds N] [--sets loopback,delayed] [--delay MS] [--files N --bytes N --seed N | --smoke] [--dir FOLDER] [--json FILE]
 * [--keep]`. BENCH_DIST names the folder of another build than ./dist.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cachedTree, positive, TREE_FLAGS, treeOptions } from './data.ts'
import { describeMachine, ensureBuilt, measureTree, requireSpace } from './machine.ts'
import { measure } from './measure.ts'
import { startGateway } from './s3/gateway.ts'
import { S3_PEERS } from './s3/peers.ts'
import { judge, type Report, toMarkdown } from './s3/report.ts'
import { runRounds, SETS, type SetName } from './s3/rounds.ts'

const { values } = parseArgs({
  options: {
    ...TREE_FLAGS,
    rounds: { type: 'string', default: '3' },
    sets: { type: 'string', default: SETS.join(',') },
    /** What the line adds to a round trip. */
    delay: { type: 'string', default: '20' },
    dir: { type: 'string', default: '.bench' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const rounds = positive('rounds', values.rounds)
const roundTripMs = positive('delay', values.delay)
const options = treeOptions(values)
const sets = values.sets.split(',').map((name): SetName => {
  const set = SETS.find((known) => known === name)
  if (set === undefined) throw new Error(`--sets: ${name} is none of ${SETS.join(', ')}`)
  return set
})

const versions = await Promise.all(S3_PEERS.map(({ peer }) => peer.version()))
if (versions.includes(undefined)) throw new Error('restic is not installed: there is nothing to compare with')
mkdirSync(values.dir, { recursive: true })
// First of all, so that the load average is not our own preparation's.
const machine = await describeMachine(values.dir)
if (!process.env.BENCH_DIST) ensureBuilt()
console.error('preparing the data and the gateway')
const data = resolve(cachedTree(values.dir, options))
const { files, bytes } = measureTree(data)
await requireSpace(values.dir, bytes * 1.1 * S3_PEERS.length * sets.length * rounds)
const folder = mkdtempSync(join(resolve(values.dir), 's3-'))
// So that nobody pays for the first reading.
await measure({ file: 'find', args: [data, '-type', 'f', '-exec', 'cksum', '{}', '+'] })
const gateway = await startGateway()
try {
  const result = await runRounds({
    gateway,
    peers: S3_PEERS,
    sets,
    data,
    folder,
    rounds,
    roundTripMs,
    report: console.error,
  })
  const about = { files, bytes, from: `generated, seed ${options.seed}` }
  const report: Report = { machine, versions: versions.map(String), data: about, rounds, roundTripMs, result }
  console.log(toMarkdown(report))
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...report, numbers: judge(report) }, null, 2)}\n`)
} finally {
  await gateway.stop()
  if (values.keep) console.error(`kept: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
