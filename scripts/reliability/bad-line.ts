/** A backup, another one, a check of all data and a restore, all over a bad line to a real S3 server; and what it took. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BackupEngine,
  BackupError,
  type Clock,
  filesystem,
  type RetryingOptions,
  rawKey,
  retrying,
  systemClock,
} from '../../src/index.ts'
import { s3Target } from '../../src/targets/s3/index.ts'
import { type FaultProxy, faultProxy, type ProxyFault, type ProxyPlan } from '../../test/servers/fault-proxy.ts'
import type { TestS3 } from '../../test/servers/s3.ts'
import { testBucket } from '../../test/servers/s3-bucket.ts'
import { differences } from '../demo/trees.ts'
import { changeTree, makeTree, type TreeSize } from './tree.ts'

export interface BadLine {
  readonly name: string
  readonly plans: readonly ProxyPlan[]
  /** Of `retrying`, where the defaults would give up too early. */
  readonly retrying?: Pick<RetryingOptions, 'attempts' | 'sharedRetries'>
}
export interface BadLineOptions {
  readonly tree: TreeSize
  readonly seed: number
  /** How much shorter waits before repetitions are than they would be. Default 1. */
  readonly hurry?: number
  /** After which a request without an answer has failed. */
  readonly requestTimeoutMs: number
}
export interface Outcome {
  readonly name: string
  readonly seed: number
  readonly requests: number
  readonly faults: number
  readonly counts: Readonly<Partial<Record<ProxyFault, number>>>
  /** Calls that the engine tried again. */
  readonly retries: number
  /** Verbs that failed for good, were seen to be retryable, and were called again. */
  readonly again: readonly string[]
  readonly seconds: number
  /** Snapshots that there are. */
  readonly snapshots: number
  /** What `verify` of all data found. */
  readonly sound: boolean
  /** What the restored tree and the original do not share. */
  readonly differences: readonly string[]
  /** Planned kinds of faults that struck nothing. */
  readonly missed: boolean
}

const KEY = rawKey(new Uint8Array(32).fill(9))
/** Of a verb that failed for a passing reason. */
const MOST_CALLS = 10
const LONGEST_WAIT_MS = 15_000

/** Waits of repetitions only: what is longer is no such wait. */
export function hurried(factor: number): Clock {
  const shorter = (ms: number): number => (ms <= LONGEST_WAIT_MS ? ms / factor : ms)
  return { ...systemClock, sleep: (ms, options) => systemClock.sleep(shorter(ms), options) }
}

export async function overBadLine(server: TestS3, line: BadLine, options: BadLineOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-line-'))
  const bucket = await testBucket(server)
  const proxy = await faultProxy(server, line.plans, options.seed)
  try {
    const { endpoint } = proxy
    const target = s3Target({ ...bucket.place, endpoint, requestTimeoutMs: options.requestTimeoutMs })
    return await new Trial(folder, proxy, line, options).run(target)
  } finally {
    await proxy.close()
    await bucket.drop()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Trial {
  readonly #folder: string
  readonly #proxy: FaultProxy
  readonly #line: BadLine
  readonly #options: BadLineOptions
  readonly #again: string[] = []
  #retries = 0

  constructor(folder: string, proxy: FaultProxy, line: BadLine, options: BadLineOptions) {
    this.#folder = folder
    this.#proxy = proxy
    this.#line = line
    this.#options = options
  }

  async run(target: ReturnType<typeof s3Target>): Promise<Outcome> {
    const { tree, seed, hurry = 1 } = this.#options
    const source = join(this.#folder, 'source')
    makeTree(source, tree, seed)
    const began = performance.now()
    const clock = hurried(hurry)
    // As the engine does it by itself, but counted.
    const counted = retrying(target, { ...this.#line.retrying, clock, onRetry: () => this.#retries++ })
    const sources = [filesystem({ name: 'data', path: source })]
    const open = () => BackupEngine.open({ target: counted, key: KEY, clock, sources, cache: 'none' })
    const writer = await this.#until('open', open)
    await this.#until('backup', () => writer.backup())
    changeTree(source, tree, seed + 1)
    const { snapshot } = await this.#until('backup', () => writer.backup())
    // The bucket stays, and so does the target: an engine closes it, and it opens again.
    await writer.close()
    const reader = await this.#until('open', open)
    const { sound } = await this.#until('verify', () => reader.verify({ level: 'data' }))
    const to = { folder: join(this.#folder, 'restored') }
    await this.#until('restore', async () => {
      rmSync(to.folder, { recursive: true, force: true })
      return await reader.restore(await reader.planRestore({ snapshot: snapshot.id, to }))
    })
    const snapshots = await this.#until('list', () => reader.snapshots().toArray())
    await reader.close()
    return {
      ...this.#counts(),
      seconds: (performance.now() - began) / 1000,
      snapshots: snapshots.length,
      sound,
      differences: differences(source, join(to.folder, 'data')),
    }
  }

  #counts() {
    const { requests, faults, counts } = this.#proxy
    const missed = this.#line.plans.some(({ fault }) => !counts[fault])
    const { name } = this.#line
    return {
      name,
      seed: this.#options.seed,
      requests,
      faults,
      counts,
      missed,
      retries: this.#retries,
      again: this.#again,
    }
  }

  /** As an application would: what is retryable is called again. */
  async #until<T>(verb: string, call: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await call()
      } catch (error) {
        if (!BackupError.is(error) || !error.retryable || n === MOST_CALLS) throw error
        this.#again.push(`${verb}: ${error.code}`)
      }
    }
  }
}
