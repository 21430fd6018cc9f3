/**
 * A repository of three chunks, and those who work on it: writers, prunes, a merger, whoever forgets. The chunks are a few
 * bytes and stand in the snapshots themselves, in place of trees; all that decides anything is the code that ships.
 */
import { sha256, sha256Hex } from '../../src/crypto/hash.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import {
  CHUNK_ROW_BYTES,
  encodeDirectory,
  FOOTER_BYTES,
  PACK_HEADER_BYTES,
  writeFooter,
  writePackHeader,
} from '../../src/model/pack.ts'
import type { SnapshotRecord } from '../../src/model/snapshot.ts'
import { NO_CACHE } from '../../src/repository/cache/object-cache.ts'
import { commitSnapshot } from '../../src/repository/commit.ts'
import type { Repository } from '../../src/repository/open.ts'
import { OpenRepository } from '../../src/repository/open-repository.ts'
import { forgetSnapshot } from '../../src/repository/prune/forget.ts'
import { mergeFragments } from '../../src/repository/prune/merge.ts'
import { prune } from '../../src/repository/prune/prune.ts'
import { ALL_RULES, type PruneRules } from '../../src/repository/prune/rules.ts'
import type { PruneOptions, PruneOutcome } from '../../src/repository/prune/types.ts'
import { type Run, startRun } from '../../src/repository/runs.ts'
import { readDeadPacks } from '../../src/repository/runs-absent.ts'
import { Snapshots } from '../../src/repository/snapshots.ts'
import { RepositoryWriter } from '../../src/repository/writer.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import type { Target } from '../../src/targets/target.ts'
import type { Clock } from '../../src/util/clock.ts'
import { ChunkIndex } from '../../src/workers/chunks/chunk-index.ts'
import { createVault, type Vault, type VaultPlain } from '../../src/workers/segments/vault.ts'
import { createService } from '../../src/workers/services.ts'
import { acquirePool, type Lease } from '../../src/workers/threads/pool.ts'
import type { Handlers, Service, Thread } from '../../src/workers/threads/rpc.ts'
import { openIn, snapshotOf } from '../repository/fixtures.ts'
import { targetOver } from './plain.ts'
import { following, hostOf, repeating, sessionOf } from './transport.ts'

/** Content of chunks by name. D is what nobody needs, and large. */
const CONTENT = (name: string): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`chunk ${name} `.repeat(name === 'D' ? 150 : 2))
const OLD = new Date('2026-01-01T00:00:00Z')

/** An id of a snapshot that was begun long ago: forgetting it leaves no tombstone. */
export function oldId(name: string): string {
  return `20260101t000000000-${name}`
}

/** What writers leave out of the protocol, one at a time. */
export interface WriterRules {
  /** Rule 1: names of packs are random. */
  randomPackNames: boolean
  /** Rule 2: `gc/` is read after `runs/<id>` and before anything is decided. */
  readsGcFirst: boolean
  /** Rule 2: dead packs are passed by. */
  obeysDead: boolean
  /** Rules 2 and 3: the parent is chosen after `runs/<id>`, and its chunks are looked up. */
  choosesParentLate: boolean
  /** Rule 5: `runs/<id>` goes after the commit. */
  staysUntilCommitted: boolean
  /** Rule 5: the create of the snapshot is never repeated by the transport. */
  commitsOnce: boolean
}

export const ALL_WRITER_RULES: WriterRules = {
  randomPackNames: true,
  readsGcFirst: true,
  obeysDead: true,
  choosesParentLate: true,
  staysUntilCommitted: true,
  commitsOnce: true,
}

export class World {
  readonly repository: Repository
  readonly vault: VaultPlain
  readonly open: Vault
  readonly base = memoryTarget()
  private readonly ids = new Map<string, Uint8Array>()
  private runs = 0

  private constructor(repository: Repository, vault: VaultPlain, open: Vault) {
    this.repository = repository
    this.vault = vault
    this.open = open
  }

  static async create(): Promise<World> {
    const repository = await openIn(memoryTarget(), { key: 'none', transforms: [] })
    const plain = new OpenRepository({ repository, pool: acquirePool('inline'), transforms: [], decodeCheck: false })
    const vault = plain.vault()
    await plain.close()
    return new World(repository, vault, await createVault(vault))
  }

  idOf(name: string): Uint8Array {
    const known = this.ids.get(name)
    if (known) return known
    const bytes = CONTENT(name)
    const id = new Uint8Array(this.open.hasher.id(bytes, 0, bytes.length))
    this.ids.set(name, id)
    return id
  }

  /** A place in the repository as one process sees it. */
  at(target: Target): Repository {
    const records = this.repository.records.through(target)
    return { ...this.repository, target, records, snapshots: new Snapshots(records) }
  }

  thread(rules: WriterRules = ALL_WRITER_RULES): Thread {
    return {
      id: 0,
      inline: true,
      open: async (service, init, handlers) => {
        if (service === 'tree' || service === 'ingest') return sessionOf(this.store(init, handlers, rules))
        return sessionOf(await createService(service, init, hostOf(handlers)))
      },
    }
  }

  /** What a worker does with chunks, for chunks of a few bytes: the index decides what is stored. */
  private store(init: unknown, handlers: Handlers, rules: WriterRules): Service {
    const { tables } = (init as { store: { tables: ConstructorParameters<typeof ChunkIndex>[0] } }).store
    const index = new ChunkIndex(tables)
    const fresh: string[] = []
    return {
      call: async (method, args) => {
        if (method === 'put') {
          const name = args as unknown as string
          if (!index.has(this.idOf(name)) && !fresh.includes(name)) fresh.push(name)
        } else if (method === 'finish') {
          if (fresh.length > 0) await handlers.pack!(this.pack([fresh], rules.randomPackNames))
          return { newChunks: fresh.length, newBytes: 0, storedBytes: 0 }
        }
        return undefined
      },
    }
  }

  /** A pack of segments of chunks, by name. */
  pack(segments: readonly (readonly string[])[], isRandom = true): ReturnType<World['build']> {
    return this.build(segments, isRandom)
  }

  private build(segments: readonly (readonly string[])[], isRandom: boolean) {
    const rows: Uint8Array[] = []
    const bytes = new Uint8Array(16_384)
    writePackHeader(bytes, isRandom ? randomBytes(32) : new Uint8Array(32))
    let at = PACK_HEADER_BYTES
    const table = segments.map((names) => {
      const raw = Buffer.concat(names.map(CONTENT))
      for (const name of names) rows.push(this.row(name))
      const storedBytes = this.open.sealer.sealInto(bytes, at, 'content', raw, { compress: false })
      const row = { offset: at, storedBytes, rawBytes: raw.length, chunks: names.length }
      at += storedBytes
      return row
    })
    const directory = encodeDirectory({ kind: 'content', segments: table, chunkRows: Buffer.concat(rows) })
    const written = this.open.sealer.sealInto(bytes, at, 'index', directory, { compress: false })
    writeFooter(bytes, at + written, at, written)
    const pack = bytes.slice(0, at + written + FOOTER_BYTES)
    const content = new TextEncoder().encode(segments.flat().sort().join())
    return {
      kind: 'content' as const,
      name: sha256(isRandom ? pack : content),
      packBytes: pack.length,
      directory,
      bytes: pack,
    }
  }

  private row(name: string): Uint8Array {
    const row = Buffer.alloc(CHUNK_ROW_BYTES)
    row.set(this.idOf(name))
    row.writeUInt32LE(CONTENT(name).length, 32)
    return row
  }

  snapshot(id: string, names: readonly string[], createdAt = OLD): SnapshotRecord {
    const sources = names.map((name) => ({
      name,
      kind: 'test',
      root: null,
      entries: 0,
      bytes: 0,
      facts: {},
      factsRef: { id: Buffer.from(this.idOf(name)).toString('base64url'), rawBytes: CONTENT(name).length },
    }))
    return snapshotOf(id, { sources, createdAt })
  }

  /** The snapshot's chunks by name. */
  chunksOf(record: SnapshotRecord): string[] {
    return record.sources.map(({ name }) => name)
  }

  /** A writer whose engine is new, or has read the index when the objects were `before`. */
  async write(
    target: Target,
    clock: Clock,
    wants: readonly string[],
    rules = ALL_WRITER_RULES,
    id = `w${++this.runs}`,
    before?: ReadonlyMap<string, Uint8Array>,
  ): Promise<void> {
    const now = { target: before ? targetOver(new Map(before)) : target }
    const repository = this.at(following(now))
    const { records, snapshots } = repository
    const thread = this.thread(rules)
    const open = new OpenRepository({ repository, pool: acquirePool('inline'), transforms: [], decodeCheck: false })
    const lease = { threads: [thread], release: () => undefined } as unknown as Lease
    if (before) await open.refreshIndex(lease, undefined)
    now.target = rules.commitsOnce ? target : repeating(target)
    const early = rules.choosesParentLate ? [] : await this.parent(snapshots)
    if (!rules.readsGcFirst) await open.refreshIndex(lease, undefined)
    const run = await startRun(repository, { runId: id, verb: 'backup', host: 'here', clock, pid: 1 })
    try {
      if (rules.readsGcFirst) await open.refreshIndex(lease, undefined, this.obeying(run, rules))
      const writer = await RepositoryWriter.open({
        target,
        vault: this.vault,
        cache: NO_CACHE,
        index: open.index,
        threads: [thread],
        runId: id,
        onUnreadable: 'fail',
        signal: new AbortController().signal,
        onStored: () => undefined,
        onRead: () => undefined,
      })
      for (const name of wants) if (!early.includes(name)) await writer.tree.call('put', name)
      await writer.finish()
      if (!rules.staysUntilCommitted) await run.finish()
      await commitSnapshot({ records, run, snapshot: this.snapshot(id, wants), clock })
      await writer.close()
    } finally {
      await run.finish()
    }
  }

  private obeying(run: Run, rules: WriterRules): Run {
    if (rules.obeysDead) return run
    return { absent: { dead: new Set(), condemned: run.absent.condemned } } as unknown as Run
  }

  async parent(snapshots: Snapshots): Promise<string[]> {
    return (await snapshots.list()).snapshots.flatMap(({ record }) => this.chunksOf(record))
  }

  prune(
    target: Target,
    clock: Clock,
    rules: Partial<PruneRules> = {},
    runId = `p${++this.runs}`,
    over: Partial<PruneOptions> = {},
  ): Promise<PruneOutcome> {
    return prune({
      target,
      records: this.at(target).records,
      near: NO_CACHE,
      vault: this.vault,
      threads: [this.thread()],
      signal: new AbortController().signal,
      clock,
      host: 'here',
      runId,
      keepDeletedMs: 0,
      // Anything that has not moved between two looks counts as dead: the worst that a clock can do.
      stillMs: 1,
      pollMs: 1,
      graceMs: 0,
      minDeadShare: 0.8,
      packBytes: 16_384,
      rules: { ...ALL_RULES, ...rules },
      onWalked: () => undefined,
      onPhase: () => undefined,
      ...over,
    })
  }

  async forget(target: Target, clock: Clock, id: string, deletesAlways = false): Promise<void> {
    await forgetSnapshot({ records: this.at(target).records, id, now: clock.now(), by: 'f', deletesAlways })
  }

  async merge(target: Target, nameOf?: (raw: Uint8Array) => string): Promise<void> {
    const { dead } = await readDeadPacks(this.at(target).records)
    const signal = new AbortController().signal
    await mergeFragments({ target, vault: this.vault, thread: this.thread(), runId: 'm', dead, signal, nameOf })
  }
}

/** A name that says what is in a fragment, and comes back with it. */
export function contentName(raw: Uint8Array): string {
  // The first 36 bytes are a version and random.
  return sha256Hex(raw.subarray(36))
}
