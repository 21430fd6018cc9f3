/** Whether a prune holds backups back: the same backup alone, beside a prune, and beside as much work of another kind. */
import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { applyChange } from '../change.ts'
import { type Command, measure } from '../measure.ts'
import type { Place } from '../peers/peer.ts'
import { median } from '../statistics.ts'
import { table } from '../table.ts'
import { PRUNE_PEERS } from './peers.ts'

export interface BesideOptions {
  /** Changed by each backup that is measured: one file in a hundred. */
  readonly data: string
  readonly seed: number
  readonly rounds: number
  /** A fresh copy of the repository with both snapshots. */
  fresh(name: string): Promise<Place>
}

/** Time for the other process to open the repository. */
const HEAD_START_MS = 900
const CASES = ['alone', 'beside a prune', 'beside a verify'] as const
const holdfast = PRUNE_PEERS[0]!

/** Resolves when the command has ended; `running` tells before that. */
function start({ file, args, env }: Command): { running(): boolean; ended: Promise<void> } {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')}: ${code}`))))
  })
  return { running: () => child.exitCode === null && child.signalCode === null, ended }
}

interface Backup {
  readonly wallMs: number
  /** The backup ended before the other process did: nobody waited for anybody. */
  readonly endedFirst: boolean
}

async function backupIn(which: (typeof CASES)[number], place: Place, data: string): Promise<Backup> {
  const other = which === 'beside a prune' ? holdfast.forgetAndPrune(place) : holdfast.verify(place)
  const beside = which === 'alone' ? undefined : start(other)
  if (beside) await wait(HEAD_START_MS)
  const { wallMs } = await measure(holdfast.backup(place, data))
  const endedFirst = beside?.running() ?? true
  await beside?.ended
  return { wallMs, endedFirst }
}

/** A table. A backup beside other work has less of the processor: that is the same beside anything. */
export async function backupBeside({ data, seed, rounds, fresh }: BesideOptions): Promise<string> {
  const results = CASES.map((): Backup[] => [])
  for (let round = 1; round <= rounds; round++) {
    applyChange(data, { seed: seed + round })
    for (const [at, which] of CASES.entries()) {
      results[at]!.push(await backupIn(which, await fresh(`beside-${round}-${at}`), data))
    }
  }
  const rows = CASES.map((which, at) => [
    which,
    `${(median(results[at]!.map(({ wallMs }) => wallMs)) / 1000).toFixed(2)} s`,
    which === 'alone' ? '' : `${results[at]!.filter(({ endedFirst }) => endedFirst).length} of ${rounds}`,
  ])
  return table(['Backup of 1 % changed', 'took', 'ended before the other did'], rows)
}
