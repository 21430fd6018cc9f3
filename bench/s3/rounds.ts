/**
 * The measured rounds: both programs do one step before any does the next, in turns, in buckets of their own, which are
 * emptied at the end of the round. Set after set: over loopback as it is, and over a line with a delay that counts.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, measure, outputOf, type Usage } from '../measure.ts'
import { isEqual } from '../rounds.ts'
import { median } from '../statistics.ts'
import { type Gateway, type Line, openLine } from './gateway.ts'
import type { Traffic } from './line.ts'
import type { S3Peer, S3Place } from './peers.ts'

export const STEPS = ['first', 'unchanged', 'unchanged-cold', 'unchanged-open', 'restore'] as const
export type Step = (typeof STEPS)[number]
export const SETS = ['loopback', 'delayed'] as const
export type SetName = (typeof SETS)[number]

export interface Row extends Usage {
  readonly round: number
  readonly set: SetName
  readonly peer: S3Peer['name']
  readonly step: Step
  readonly gatewayCpuMs?: number
  /** Of the delayed line: the other way nobody counts. For open engines, of all backups together. */
  readonly traffic?: Traffic
  /** Backups in this row: an open engine makes several. */
  readonly backups: number
}

export interface RoundOptions {
  readonly gateway: Gateway
  readonly peers: readonly S3Peer[]
  readonly sets: readonly SetName[]
  readonly data: string
  /** An empty folder for caches and restored trees. */
  readonly folder: string
  readonly rounds: number
  readonly roundTripMs: number
  report(line: string): void
}

export interface RoundsResult {
  readonly rows: Row[]
  /** By program: whether `diff -r` found the restored tree of the first round equal to the data. */
  readonly equal: Record<string, boolean>
}

class Round {
  readonly rows: Row[] = []
  readonly #options: RoundOptions
  readonly #set: SetName
  readonly #number: number
  readonly #line: Line | undefined
  readonly #peers: readonly S3Peer[]

  constructor(options: RoundOptions, set: SetName, number: number, line: Line | undefined) {
    this.#options = options
    this.#set = set
    this.#number = number
    this.#line = line
    this.#peers = number % 2 === 1 ? options.peers : [...options.peers].reverse()
  }

  #place({ name }: S3Peer): S3Place {
    const { gateway, folder } = this.#options
    const own = join(folder, `${this.#set}-${this.#number}`, name)
    return {
      repository: '',
      scratch: join(own, 'scratch'),
      server: gateway.server,
      endpoint: this.#line?.endpoint ?? gateway.server.endpoint,
      bucket: `bench-${name}-${process.pid}-${this.#set}-${this.#number}`,
    }
  }

  restored(peer: S3Peer): string {
    return join(this.#place(peer).scratch, '..', 'restored')
  }

  async prepare(): Promise<void> {
    for (const peer of this.#peers) {
      const place = this.#place(peer)
      mkdirSync(place.scratch, { recursive: true })
      mkdirSync(this.restored(peer))
      await this.#options.gateway.makeBucket(place.bucket)
      await measure(peer.command(place, ({ init }) => init(place)))
    }
  }

  async #run(peer: S3Peer, step: Step, command: Command): Promise<Row & { stdout: string }> {
    await outputOf('sync')
    await this.#line?.traffic()
    const { gateway } = this.#options
    const before = gateway.cpuMs()
    const { stdout, ...usage } = await measure(command)
    const after = gateway.cpuMs()
    const traffic = await this.#line?.traffic()
    return {
      round: this.#number,
      set: this.#set,
      peer: peer.name,
      step,
      backups: 1,
      ...usage,
      ...(before !== undefined && after !== undefined && { gatewayCpuMs: after - before }),
      ...(traffic && { traffic }),
      stdout,
    }
  }

  #keep({ stdout: _, ...row }: Row & { stdout: string }): void {
    this.rows.push(row)
    this.#options.report(describe(row))
  }

  async backups(step: Step): Promise<void> {
    for (const peer of this.#peers) {
      const known = this.#place(peer)
      // On a machine that has seen nothing of the repository: its cache is empty.
      const place = step === 'unchanged-cold' ? { ...known, scratch: join(known.scratch, 'cold') } : known
      mkdirSync(place.scratch, { recursive: true })
      const command = peer.command(place, ({ backup }) => backup(place, this.#options.data))
      this.#keep(await this.#run(peer, step, command))
    }
  }

  /** Several backups in one process; the median of them, as the process itself measured it. */
  async openBackups(): Promise<void> {
    for (const peer of this.#peers) {
      const { backupOpen } = peer.peer
      if (!backupOpen) continue
      const place = this.#place(peer)
      const command = peer.command(place, () => backupOpen(place, this.#options.data))
      const { gatewayCpuMs: _, ...row } = await this.#run(peer, 'unchanged-open', command)
      const repeats = row.stdout.trim().split('\n')
      const measured = repeats.map((line) => JSON.parse(line) as { wallMs: number; cpuMs: number })
      const wallMs = median(measured.map((repeat) => repeat.wallMs))
      const cpuMs = median(measured.map((repeat) => repeat.cpuMs))
      this.#keep({ ...row, wallMs, cpuMs, backups: measured.length + 1 })
    }
  }

  async restores(): Promise<void> {
    for (const peer of this.#peers) {
      const place = this.#place(peer)
      const command = peer.command(place, ({ restore }) => restore(place, this.restored(peer)))
      this.#keep(await this.#run(peer, 'restore', command))
    }
  }

  async clean(): Promise<void> {
    for (const peer of this.#peers) await this.#options.gateway.removeBucket(this.#place(peer).bucket)
  }
}

export function requestsOf({ requests }: Traffic): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0)
}

function describe({ round, set, step, peer, wallMs, cpuMs, gatewayCpuMs, peakBytes, traffic }: Row): string {
  const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1000).toFixed(2)} s`)
  const parts = [seconds(wallMs), `CPU ${seconds(cpuMs)}`, `gateway ${seconds(gatewayCpuMs)}`]
  if (peakBytes !== undefined) parts.push(`${Math.round(peakBytes / 1e6)} MB`)
  if (traffic) parts.push(`${requestsOf(traffic)} requests ${JSON.stringify(traffic)}`)
  return `round ${round} ${set} ${step} ${peer}: ${parts.join(', ')}`
}

export async function runRounds(options: RoundOptions): Promise<RoundsResult> {
  const result: RoundsResult = { rows: [], equal: {} }
  for (const set of options.sets) {
    const { endpoint } = options.gateway.server
    const line = set === 'delayed' ? await openLine(endpoint, options.roundTripMs) : undefined
    try {
      for (let number = 1; number <= options.rounds; number++) {
        result.rows.push(...(await runRound(options, set, number, line, result.equal)))
      }
    } finally {
      line?.stop()
    }
  }
  return result
}

async function runRound(
  options: RoundOptions,
  set: SetName,
  number: number,
  line: Line | undefined,
  equal: Record<string, boolean>,
): Promise<Row[]> {
  const round = new Round(options, set, number, line)
  await round.prepare()
  await round.backups('first')
  await round.backups('unchanged')
  await round.backups('unchanged-cold')
  await round.openBackups()
  await round.restores()
  await round.clean()
  if (number > 1) return round.rows
  for (const peer of options.peers) equal[`${peer.name} (${set})`] = await isEqual(options.data, round.restored(peer))
  return round.rows
}
