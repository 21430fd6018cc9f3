/**
 * Compares Holdfast with restic, borg and tar | zstd on the same data: `npm run bench -- [--rounds N] [--peers a,b]
 * [--data FOLDER | --files N --bytes N --seed N | --smoke] [--dir FOLDER] [--json FILE] [--keep]`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cachedTree, positive, TREE_FLAGS, treeOptions } from './data.ts'
import { describeMachine, ensureBuilt, measureTree, requireSpace } from './machine.ts'
import { measure } from './measure.ts'
import { borgPeer } from './peers/borg.ts'
import { holdfastPeer } from './peers/holdfast.ts'
import type { Peer } from './peers/peer.ts'
import { resticPeer } from './peers/restic.ts'
import { tarZstdPeer } from './peers/tar-zstd.ts'
import { judge, type Report, toMarkdown } from './report.ts'
import { runRounds } from './rounds.ts'

const PEERS: readonly Peer[] = [holdfastPeer, resticPeer, borgPeer, tarZstdPeer]
const OPTIONS = {
  ...TREE_FLAGS,
  rounds: { type: 'string', default: '3' },
  peers: { type: 'string', default: PEERS.map((peer) => peer.name).join(',') },
  data: { type: 'string' },
  dir: { type: 'string', default: '.bench' },
  json: { type: 'string' },
  keep: { type: 'boolean', default: false },
} as const

/** Of the wanted programs those that are installed, with their versions. */
async function findPeers(wanted: string): Promise<{ peers: Peer[]; versions: Record<string, string> }> {
  const peers: Peer[] = []
  const versions: Record<string, string> = {}
  for (const name of wanted.split(',')) {
    const peer = PEERS.find((candidate) => candidate.name === name)
    if (!peer) throw new Error(`--peers: ${name} is none of ${PEERS.map((known) => known.name).join(', ')}`)
    const version = await peer.version()
    if (version === undefined) console.error(`${name} is not installed and is left out`)
    else {
      peers.push(peer)
      versions[name] = version
    }
  }
  return { peers, versions }
}

/** Bytes of disk for one round of one program, as a multiple of the data: repository and restored tree. */
const SPACE_FACTOR = 1.8

const { values } = parseArgs({ options: OPTIONS })
const rounds = positive('rounds', values.rounds)
const options = treeOptions(values)
const { peers, versions } = await findPeers(values.peers)
mkdirSync(values.dir, { recursive: true })
// First of all, so that the load average is not our own preparation's.
const machine = await describeMachine(values.dir)
if (peers.includes(holdfastPeer)) ensureBuilt()

console.error('preparing the data')
const original = values.data ?? cachedTree(values.dir, options)
const { files, bytes } = measureTree(original)
await requireSpace(values.dir, bytes * (1 + SPACE_FACTOR * peers.length * rounds))
const folder = mkdtempSync(join(resolve(values.dir), 'run-'))
try {
  // The rounds change what they back up, so they get a copy; a folder of the user's is only read.
  const data = join(folder, 'data')
  await measure({ file: 'cp', args: ['-a', '--reflink=auto', resolve(original), data] })
  const result = await runRounds({ peers, data, folder, rounds, seed: options.seed, report: console.error })
  const from = values.data ?? `generated, seed ${options.seed}`
  const report: Report = { machine, versions, data: { files, bytes, from }, rounds, result }
  console.log(toMarkdown(report))
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...report, numbers: judge(report) }, null, 2)}\n`)
} finally {
  if (values.keep) console.error(`kept: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
