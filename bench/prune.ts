/**
 * Forgetting half of a repository and pruning it, by Holdfast and by restic: `npm run bench:prune -- [--files N] [--bytes N]
 * [--seed N] [--rounds N] [--dir FOLDER] [--beside]`. Both repositories hold the same two snapshots; each round prunes a
 * fresh copy of each, in alternation. `--beside` also measures a backup alone and while a prune runs.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { positive } from './data.ts'
import { describeMachine, ensureBuilt, measureTree, requireSpace } from './machine.ts'
import { type Command, measure, outputOf, type Usage } from './measure.ts'
import type { Place } from './peers/peer.ts'
import { backupBeside } from './prune/beside.ts'
import { thinOut, writeForgetting } from './prune/data.ts'
import { PRUNE_PEERS, type PrunePeer } from './prune/peers.ts'
import { median } from './statistics.ts'
import { describeCpu, table } from './table.ts'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '200000' },
    bytes: { type: 'string', default: '2e9' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    dir: { type: 'string', default: '.bench' },
    beside: { type: 'boolean', default: false },
  },
})
const [files, bytes, seed, rounds] = (['files', 'bytes', 'seed', 'rounds'] as const).map((name) =>
  positive(name, values[name]),
) as [number, number, number, number]

interface Row extends Usage {
  readonly peer: string
  readonly leftBytes: number
}

mkdirSync(values.dir, { recursive: true })
const machine = await describeMachine(values.dir)
if (!process.env.BENCH_DIST) ensureBuilt()
await requireSpace(values.dir, bytes * 3)
const folder = mkdtempSync(join(resolve(values.dir), 'prune-'))
const data = join(folder, 'data')

const placeOf = (peer: PrunePeer, name: string): Place => {
  const place = { repository: join(folder, name, peer.name), scratch: join(folder, name, `${peer.name}-scratch`) }
  return place
}

/** The two snapshots. What is not measured may be slow: data are generated, and backed up by both. */
async function prepare(): Promise<void> {
  writeForgetting(data, { files, bytes, seed })
  mkdirSync(join(folder, 'original'))
  for (const peer of PRUNE_PEERS) {
    await measure(peer.init(placeOf(peer, 'original')))
    await measure(peer.backup(placeOf(peer, 'original'), data))
  }
  thinOut(data, seed)
  for (const peer of PRUNE_PEERS) await measure(peer.backup(placeOf(peer, 'original'), data))
}

/** Neither program ever writes into a file that is there, so links are copies. */
async function fresh(peer: PrunePeer, name: string): Promise<Place> {
  const [from, to] = [placeOf(peer, 'original'), placeOf(peer, name)]
  mkdirSync(join(folder, name), { recursive: true })
  mkdirSync(from.scratch, { recursive: true })
  await measure({ file: 'cp', args: ['-al', from.repository, to.repository] })
  await measure({ file: 'cp', args: ['-al', from.scratch, to.scratch] })
  await outputOf('sync')
  return to
}

async function prune(peer: PrunePeer, round: number): Promise<Row> {
  const place = await fresh(peer, `round-${round}`)
  const { stdout, ...usage } = await measure(peer.forgetAndPrune(place))
  const row = { peer: peer.name, ...usage, leftBytes: measureTree(place.repository).bytes }
  console.error(`round ${round} ${JSON.stringify(row)} ${stdout.trim()}`)
  if (round === 1) await check(peer.verify(place))
  rmSync(join(folder, `round-${round}`), { recursive: true })
  return row
}

/** Throws where anything of the newest snapshot is missing or damaged. */
async function check(command: Command): Promise<void> {
  await measure(command)
}

function report(rows: readonly Row[], storedBytes: Readonly<Record<string, number>>): string {
  const of = (peer: PrunePeer, pick: (row: Row) => number | undefined): number[] =>
    rows.filter((row) => row.peer === peer.name).map((row) => pick(row) ?? Number.NaN)
  const line = (name: string, pick: (row: Row) => number | undefined, show: (value: number) => string): string[] => {
    const [ours, theirs] = PRUNE_PEERS.map((peer) => of(peer, pick)) as [number[], number[]]
    const ratio = median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)))
    return [name, show(median(ours)), show(median(theirs)), `${ratio.toFixed(2)}×`]
  }
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  const megabytes = (value: number): string => `${(value / 1e6).toFixed(0)} MB`
  return table(
    ['', ...PRUNE_PEERS.map(({ name }) => name), 'holdfast / restic'],
    [
      line('wall time', ({ wallMs }) => wallMs, seconds),
      line('CPU time', ({ cpuMs }) => cpuMs, seconds),
      line('peak memory', ({ peakBytes }) => peakBytes, megabytes),
      ['repository before', ...PRUNE_PEERS.map(({ name }) => megabytes(storedBytes[name] ?? Number.NaN)), ''],
      line('repository after', ({ leftBytes }) => leftBytes, megabytes),
    ],
  )
}

try {
  await prepare()
  const storedBytes = Object.fromEntries(
    PRUNE_PEERS.map((peer) => [peer.name, measureTree(placeOf(peer, 'original').repository).bytes]),
  )
  const rows: Row[] = []
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? PRUNE_PEERS : [...PRUNE_PEERS].reverse()
    for (const peer of order) rows.push(await prune(peer, round))
  }
  const versions = await Promise.all(PRUNE_PEERS.map((peer) => peer.version()))
  console.log(`- Machine: ${describeCpu(machine)}`)
  console.log(`- Programs: ${versions.join(', ')}; Node ${process.version}`)
  console.log(`- Data: ${files} files, ${(bytes / 1e9).toFixed(1)} GB (generated, seed ${seed}), half of it forgotten`)
  console.log(`- Medians of ${rounds} rounds; ratios are medians of the ratio within each round\n`)
  console.log(report(rows, storedBytes))
  if (values.beside)
    console.log(`\n${await backupBeside({ data, seed, rounds, fresh: (name) => fresh(PRUNE_PEERS[0]!, name) })}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
