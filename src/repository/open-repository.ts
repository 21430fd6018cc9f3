/** An open repository with what reading and writing need beside its records: the chunk index, and what workers start from. */

import { type ChunkProfile, FILES_PROFILE, TABLE_PROFILE } from '../chunking/profiles.ts'
import type { IdAlgorithm } from '../crypto/chunk-id.ts'
import type { Target } from '../targets/target.ts'
import { describeTransform, runsInWorker } from '../transforms/spec.ts'
import type { Transform } from '../transforms/transform.ts'
import type { VaultPlain } from '../workers/segments/vault.ts'
import type { Lease, PoolHandle } from '../workers/threads/pool.ts'
import { acquirePool } from '../workers/threads/pool.ts'
import type { Session } from '../workers/threads/rpc.ts'
import { IndexSet } from './index-set.ts'
import type { Repository } from './open.ts'
import type { Run } from './runs.ts'
import { type DeadPacks, readDeadPacks } from './runs-absent.ts'

export interface RepositoryOptions {
  repository: Repository
  pool: PoolHandle
  /** In the order they are applied. */
  transforms: readonly Transform[]
  decodeCheck: boolean
}

export class OpenRepository {
  readonly repository: Repository
  readonly index: IndexSet
  readonly pool: PoolHandle
  private readonly transforms: readonly Transform[]
  private readonly decodeCheck: boolean
  private readonly inline = acquirePool('inline')
  private refreshing: Promise<void> = Promise.resolve()
  private dead: DeadPacks = { n: 0, dead: new Set() }

  constructor({ repository, pool, transforms, decodeCheck }: RepositoryOptions) {
    this.repository = repository
    this.pool = pool
    this.transforms = transforms
    this.decodeCheck = decodeCheck
    this.index = new IndexSet(repository.target, repository.cache)
  }

  get id(): string {
    return this.repository.repositoryId
  }

  /** Threads for one run. A transform that no worker can load keeps the whole run on the main thread. */
  /** `threads`: how many are enough; see `PoolHandle`. */
  lease(threads?: number): Promise<Lease> {
    return this.transforms.every(runsInWorker) ? this.pool.lease(threads) : this.inline.lease()
  }

  /** Buffers in it are copies. */
  vault(): VaultPlain {
    const { repositoryId, keyring, config } = this.repository
    const encode = this.transforms.map((each) => (runsInWorker(each) ? describeTransform(each) : each))
    return {
      repositoryId,
      keyring: keyring.toPlain(),
      idAlgorithm: config.idAlgorithm as IdAlgorithm,
      profile: this.profile(FILES_PROFILE),
      tableProfile: this.profile(TABLE_PROFILE),
      encode,
      decode: encode,
      compare: this.decodeCheck,
    }
  }

  /** The same, with the keys of rotations that others have made since. `target`: the repository's, by way of a wrapper. */
  async renewedVault(signal: AbortSignal, target: Target): Promise<VaultPlain> {
    await this.repository.keys.refresh(signal, target)
    return this.vault()
  }

  /** As the config has it; one that does not name it is cut by the built-in one. */
  private profile(builtIn: ChunkProfile): ChunkProfile {
    const { name } = builtIn
    const { minBytes, avgBytes, maxBytes } = this.repository.config.chunking[name] ?? builtIn
    return { name, minBytes, avgBytes, maxBytes }
  }

  /** Brings the index up to date, and leaves out what a prune has named. One at a time. */
  refreshIndex(lease: Lease, signal: AbortSignal | undefined, run?: Run): Promise<void> {
    if (run) {
      this.index.markAbsent(run.absent.dead)
      this.index.markCondemned(run.absent.condemned)
    }
    const next = this.refreshing.catch(() => undefined).then(() => this.refresh(lease, signal, run))
    this.refreshing = next
    return next
  }

  private async refresh(lease: Lease, signal: AbortSignal | undefined, run: Run | undefined): Promise<void> {
    // A run has read this already, and in an order of its own. A reader: after the snapshots, before the index.
    if (!run) await this.passDeadBy(signal)
    await this.load(lease, signal)
    // Keys may have been rotated by somebody else; of damage the second time says the same.
    if (this.index.forgetNewEpochs()) {
      await this.repository.keys.refresh(signal)
      await this.load(lease, signal)
    }
  }

  private async load(lease: Lease, signal: AbortSignal | undefined): Promise<void> {
    let session: Session | undefined
    const builder = async (): Promise<Session> => {
      session ??= await lease.threads[0]!.open('index', { vault: this.vault() }, {})
      return session
    }
    try {
      await this.index.refresh(builder, signal)
    } finally {
      await session?.close()
    }
  }

  /** So that nobody is sent to a pack that is gone: what was live in it is in another one. */
  private async passDeadBy(signal: AbortSignal | undefined): Promise<void> {
    const { n } = this.dead
    this.dead = await readDeadPacks(this.repository.records, { signal }, this.dead)
    if (this.dead.n !== n) this.index.markAbsent(this.dead.dead)
  }

  async close(): Promise<void> {
    await this.inline.close()
    await this.pool.close()
  }
}
