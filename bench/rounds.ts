/**
 * The measured rounds. All programs do one step before any does the next, in an order that rotates, so that they see the
 * same data and the same moods of the machine; every round has fresh repositories. Nothing is deleted before the end:
 * ext4 is slow for a while after many deletions. What is dirty is synced between steps, outside the measurement.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { applyChange, type ChangeCounts } from './change.ts'
import { measureTree } from './machine.ts'
import { type Command, measure, outputOf, type Usage } from './measure.ts'
import type { Peer, Place } from './peers/peer.ts'
import { median } from './statistics.ts'

export const STEPS = ['first', 'unchanged', 'unchanged-open', 'changed', 'restore', 'verify'] as const
export type Step = (typeof STEPS)[number]

export interface Row extends Usage {
  readonly round: number
  readonly peer: string
  readonly step: Step
  /** Size of the repository after a backup. */
  readonly repositoryBytes?: number
}

export interface RoundOptions {
  readonly peers: readonly Peer[]
  /** The tree that is backed up; changed by every round. */
  readonly data: string
  /** An empty folder for repositories and restored trees. */
  readonly folder: string
  readonly rounds: number
  readonly seed: number
  report(line: string): void
}

export interface RoundsResult {
  readonly rows: Row[]
  readonly changes: ChangeCounts[]
  /** By program: whether `diff -r` found the restored tree of the first round equal to the data. */
  readonly equal: Record<string, boolean>
}

/** One round: everything it makes is below its own folder. */
class Round {
  readonly rows: Row[] = []
  readonly #options: RoundOptions
  readonly #number: number
  readonly #peers: readonly Peer[]

  constructor(options: RoundOptions, number: number) {
    this.#options = options
    this.#number = number
    const turn = (number - 1) % options.peers.length
    this.#peers = [...options.peers.slice(turn), ...options.peers.slice(0, turn)]
  }

  #folder(peer: Peer, name: string): string {
    return join(this.#options.folder, `round-${this.#number}`, peer.name, name)
  }

  place(peer: Peer): Place {
    return { repository: this.#folder(peer, 'repository'), scratch: this.#folder(peer, 'scratch') }
  }

  restored(peer: Peer): string {
    return this.#folder(peer, 'restored')
  }

  async prepare(): Promise<void> {
    for (const peer of this.#peers) {
      mkdirSync(this.#folder(peer, 'scratch'), { recursive: true })
      mkdirSync(this.restored(peer))
      await measure(peer.init(this.place(peer)))
    }
  }

  async #run(peer: Peer, step: Step, command: Command): Promise<Row & { stdout: string }> {
    await outputOf('sync')
    const { stdout, ...usage } = await measure(command)
    return { round: this.#number, peer: peer.name, step, ...usage, stdout }
  }

  #keep({ stdout: _, ...row }: Row & { stdout: string }): void {
    const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1000).toFixed(2)} s`)
    const megabytes = row.peakBytes === undefined ? '–' : `${Math.round(row.peakBytes / 1e6)} MB`
    const line = `round ${row.round} ${row.step} ${row.peer}: ${seconds(row.wallMs)}, CPU ${seconds(row.cpuMs)}, ${megabytes}`
    this.#options.report(
      row.repositoryBytes === undefined ? line : `${line}, stored ${(row.repositoryBytes / 1e6).toFixed(1)} MB`,
    )
    this.rows.push(row)
  }

  async backups(step: Step): Promise<void> {
    for (const peer of this.#peers) {
      const place = this.place(peer)
      const row = await this.#run(peer, step, peer.backup(place, this.#options.data))
      this.#keep({ ...row, repositoryBytes: measureTree(place.repository).bytes })
    }
  }

  /** Several backups in one process; the median of them, as the process itself measured it. */
  async openBackups(): Promise<void> {
    for (const peer of this.#peers) {
      if (!peer.backupOpen) continue
      const row = await this.#run(peer, 'unchanged-open', peer.backupOpen(this.place(peer), this.#options.data))
      const lines = row.stdout.trim().split('\n')
      const repeats = lines.map((line) => JSON.parse(line) as { wallMs: number; cpuMs: number })
      const wallMs = median(repeats.map((repeat) => repeat.wallMs))
      this.#keep({ ...row, wallMs, cpuMs: median(repeats.map((repeat) => repeat.cpuMs)) })
    }
  }

  async restores(): Promise<void> {
    for (const peer of this.#peers) {
      this.#keep(await this.#run(peer, 'restore', peer.restore(this.place(peer), this.restored(peer))))
    }
  }

  async verifies(): Promise<void> {
    for (const peer of this.#peers) this.#keep(await this.#run(peer, 'verify', peer.verify(this.place(peer))))
  }
}

/** A program may restore into the folder itself or into a folder of the source's name. */
export async function isEqual(data: string, restored: string): Promise<boolean> {
  const differs = async (folder: string): Promise<boolean> =>
    (await outputOf('diff', '-r', '--brief', '--no-dereference', data, folder)) === undefined
  return !(await differs(restored)) || !(await differs(join(restored, 'data')))
}

export async function runRounds(options: RoundOptions): Promise<RoundsResult> {
  const result: RoundsResult = { rows: [], changes: [], equal: {} }
  for (let number = 1; number <= options.rounds; number++) {
    const round = new Round(options, number)
    await round.prepare()
    await round.backups('first')
    await round.backups('unchanged')
    await round.openBackups()
    result.changes.push(applyChange(options.data, { seed: options.seed + number }))
    await round.backups('changed')
    await round.restores()
    if (number === 1) {
      for (const peer of options.peers) result.equal[peer.name] = await isEqual(options.data, round.restored(peer))
    }
    await round.verifies()
    result.rows.push(...round.rows)
  }
  return result
}
