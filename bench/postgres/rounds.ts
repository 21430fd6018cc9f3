/** The measured rounds of the Postgres benchmark: all programs do one step before any does the next, on fresh copies. */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runSql } from '../../test/servers/postgres.ts'
import { measureTree } from '../machine.ts'
import { type Command, measure, outputOf, type Usage } from '../measure.ts'
import { PASSPHRASE } from '../peers/peer.ts'
import type { CliResult } from './cli.ts'
import {
  type BenchDatabase,
  change,
  changeAccounts,
  dropDatabase,
  fillHoles,
  fingerprint,
  freshDatabase,
  urlOf,
} from './database.ts'

export const STEPS = ['first', 'unchanged', 'unchanged-xmin', 'changed', 'accounts', 'holes', 'restore'] as const
export type Step = (typeof STEPS)[number]
export const PEERS = ['holdfast', 'pg_dump -Fc', 'pg_dump -Z0 to restic', 'pg_restore', 'pg_restore -j2'] as const
export type PeerName = (typeof PEERS)[number]

export interface Row extends Usage {
  readonly round: number
  readonly peer: PeerName
  readonly step: Step
  /** What the repository (or the dump) grew by. */
  readonly storedBytes?: number
  /** Content that the repository did not have, before compression. */
  readonly newBytes?: number
  readonly loopP99Ms?: number
}

export interface RoundOptions {
  readonly database: BenchDatabase
  /** An empty folder for repositories and dumps. */
  readonly folder: string
  readonly rounds: number
  readonly restic: boolean
  report(line: string): void
}

export interface RoundsResult {
  readonly rows: Row[]
  /** Whether each restored database of the first round holds what the original did. */
  readonly equal: Record<string, boolean>
  /** Whether this build has `incremental: 'xmin'`. */
  readonly xmin: boolean
}

const CLI = fileURLToPath(new URL('cli.ts', import.meta.url))

class Round {
  readonly rows: Row[] = []
  readonly equal: Record<string, boolean> = {}
  xmin = true
  readonly #options: RoundOptions
  readonly #number: number
  readonly #folder: string
  readonly #url: string
  #first = ''
  #original = ''

  constructor(options: RoundOptions, number: number) {
    this.#options = options
    this.#number = number
    this.#folder = join(options.folder, `round-${number}`)
    this.#url = urlOf(options.database.server, 'bench')
    mkdirSync(join(this.#folder, 'holdfast'), { recursive: true })
  }

  get #bin(): string {
    return this.#options.database.server.binDir
  }

  #holdfast(...args: string[]): Command {
    const env = {
      BENCH_REPOSITORY: join(this.#folder, 'holdfast'),
      BENCH_PASSPHRASE: PASSPHRASE,
      BENCH_URL: this.#url,
      BENCH_BIN: this.#bin,
    }
    return { file: process.execPath, args: [CLI, ...args], env }
  }

  #restic(script: string): Command {
    const env = {
      RESTIC_REPOSITORY: join(this.#folder, 'restic'),
      RESTIC_PASSWORD: PASSPHRASE,
      RESTIC_CACHE_DIR: join(this.#folder, 'restic-cache'),
      DUMP: join(this.#bin, 'pg_dump'),
      URL: this.#url,
    }
    return { file: 'bash', args: ['-o', 'pipefail', '-c', script], env }
  }

  async #measure(peer: PeerName, step: Step, command: Command, stored?: string): Promise<Row & { result: CliResult }> {
    await runSql(this.#url, 'CHECKPOINT')
    await outputOf('sync')
    const before = stored === undefined ? 0 : sizeOf(stored)
    const { stdout, ...usage } = await measure(command)
    const result = peer === 'holdfast' ? lastLine(stdout) : { loopP99Ms: 0 }
    const row: Row = {
      round: this.#number,
      peer,
      step,
      ...usage,
      ...(stored === undefined ? {} : { storedBytes: sizeOf(stored) - before }),
      ...(result.newBytes === undefined ? {} : { newBytes: result.newBytes }),
      ...(peer === 'holdfast' ? { loopP99Ms: result.loopP99Ms } : {}),
    }
    this.rows.push(row)
    this.#options.report(line(row))
    return { ...row, result }
  }

  /** In an order that rotates from round to round. */
  async #inTurn(...parts: readonly (() => Promise<unknown>)[]): Promise<void> {
    for (let i = 0; i < parts.length; i++) await parts[(i + this.#number - 1) % parts.length]?.()
  }

  async prepare(): Promise<void> {
    await freshDatabase(this.#options.database.server, 'bench')
    await measure(this.#holdfast('init'))
    if (this.#options.restic) await measure(this.#restic('restic --quiet init'))
  }

  async #backups(step: Step): Promise<void> {
    const own = async (): Promise<void> => {
      const { result } = await this.#measure('holdfast', step, this.#holdfast('backup'), join(this.#folder, 'holdfast'))
      if (step === 'first') this.#first = result.snapshot ?? ''
    }
    const script = '"$DUMP" -Fc -Z0 "$URL" | restic --quiet backup --stdin --stdin-filename dump'
    const restic = async (): Promise<void> => {
      if (!this.#options.restic) return
      await this.#measure('pg_dump -Z0 to restic', step, this.#restic(script), join(this.#folder, 'restic'))
    }
    const dump = async (): Promise<void> => {
      const file = join(this.#folder, 'dump')
      const command = { file: join(this.#bin, 'pg_dump'), args: ['-Fc', '-f', file, this.#url] }
      if (step === 'first') await this.#measure('pg_dump -Fc', step, command, file)
    }
    await this.#inTurn(own, restic, dump)
  }

  /** The first one records what the next one needs, and is not measured. */
  async #xmin(): Promise<void> {
    try {
      await measure(this.#holdfast('backup-xmin'))
    } catch (error) {
      if (!String(error).includes('incremental')) throw error
      this.xmin = false
      return
    }
    await this.#measure('holdfast', 'unchanged-xmin', this.#holdfast('backup-xmin'), join(this.#folder, 'holdfast'))
  }

  async backups(): Promise<void> {
    await this.#backups('first')
    if (this.#number === 1) this.#original = await fingerprint(this.#url)
    await this.#backups('unchanged')
    await this.#xmin()
    await change(this.#url)
    await this.#backups('changed')
    await changeAccounts(this.#url)
    await this.#backups('accounts')
    await fillHoles(this.#url)
    await this.#backups('holes')
  }

  async #restore(peer: PeerName, command: Command, create: boolean): Promise<void> {
    const { server } = this.#options.database
    await dropDatabase(server, 'restored')
    if (create) await runSql(server.url, 'CREATE DATABASE restored')
    await this.#measure(peer, 'restore', command)
    if (this.#number === 1) this.equal[peer] = (await fingerprint(urlOf(server, 'restored'))) === this.#original
    await dropDatabase(server, 'restored')
  }

  /** Whoever writes first has the server make its WAL files, which the next ones use again: 1.5 s for 1 GB. */
  async #warmUp(file: string, dump: string, to: string): Promise<void> {
    if (this.#number > 1) return
    await dropDatabase(this.#options.database.server, 'restored')
    await runSql(this.#options.database.server.url, 'CREATE DATABASE restored')
    await measure({ file, args: ['-d', to, dump] })
  }

  /** Of the first backup, so that all restore the same. */
  async restores(): Promise<void> {
    const to = urlOf(this.#options.database.server, 'restored')
    const file = join(this.#bin, 'pg_restore')
    const dump = join(this.#folder, 'dump')
    await this.#warmUp(file, dump, to)
    await this.#inTurn(
      () => this.#restore('holdfast', this.#holdfast('restore', this.#first, 'restored'), false),
      () => this.#restore('pg_restore', { file, args: ['-d', to, dump] }, true),
      () => this.#restore('pg_restore -j2', { file, args: ['-j2', '-d', to, dump] }, true),
    )
  }
}

/** Of a file or of a folder's files; 0 of nothing. */
function sizeOf(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  return stat.isDirectory() ? measureTree(path).bytes : stat.size
}

function lastLine(stdout: string): CliResult {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as CliResult
}

function line(row: Row): string {
  const parts = [`${(row.wallMs / 1000).toFixed(2)} s`]
  if (row.peakBytes !== undefined) parts.push(`${Math.round(row.peakBytes / 1e6)} MB`)
  if (row.storedBytes !== undefined) parts.push(`stored ${(row.storedBytes / 1e6).toFixed(2)} MB`)
  if (row.loopP99Ms !== undefined) parts.push(`loop p99 ${row.loopP99Ms.toFixed(1)} ms`)
  return `round ${row.round} ${row.step} ${row.peer}: ${parts.join(', ')}`
}

export async function runRounds(options: RoundOptions): Promise<RoundsResult> {
  const rows: Row[] = []
  const equal: Record<string, boolean> = {}
  let xmin = true
  for (let number = 1; number <= options.rounds; number++) {
    const round = new Round(options, number)
    await round.prepare()
    await round.backups()
    await round.restores()
    rows.push(...round.rows)
    Object.assign(equal, round.equal)
    xmin &&= round.xmin
  }
  return { rows, equal, xmin }
}
