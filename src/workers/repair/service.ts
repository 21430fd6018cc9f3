/** Worker service 'repair': finds what is lost, saves what is sound of damaged packs, and takes in again what is still to be had. */
import { BackupError } from '../../errors.ts'
import type { ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkStore, type StoreCounters, type StorePlain } from '../chunks/chunk-store.ts'
import { type BadPlaces, SoundIndex } from '../chunks/sound-index.ts'
import { type FinishedPack, PackBuilder } from '../ingest/pack-builder.ts'
import type { StreamPiece, StreamTail } from '../ingest/stream-ingest.ts'
import { whereThere } from '../rewrite/judges.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { type DirectoryJob, readDirectory } from './directory.ts'
import { type FileHeal, type FoundChunks, Healing } from './heal.ts'
import { findLosses, IdSet, type LossJob, LossNotebook, type LostRows, MendedReader } from './losses.ts'
import { type SalvageAnswer, type SalvageJob, salvage } from './salvage.ts'

/** The main thread answers 'range' (bytes of a pack), 'progress', and 'pack' (one that is full) with its buffer. */
export interface RepairInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  /** Of a session that stores. */
  store?: StorePlain
}

export async function createRepair(init: RepairInit, host: Host): Promise<Service> {
  return new RepairService(await createVault(init.vault), init, host)
}

class RepairService implements Service {
  private readonly vault: Vault
  private readonly index: SoundIndex
  private readonly reader: MendedReader
  private readonly host: Host
  private readonly store: ChunkStore | undefined
  private readonly builder: PackBuilder | undefined
  private readonly waiting = new Set<Promise<void>>()
  private failure: unknown
  private readonly saved = new IdSet()
  private notebook = new LossNotebook(this.saved)
  private healing: Healing | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(vault: Vault, { tables, store }: RepairInit, host: Host) {
    this.vault = vault
    this.host = host
    this.index = new SoundIndex(tables)
    this.reader = new MendedReader(vault, this.index, host)
    if (!store) return
    this.store = new ChunkStore(vault, store, 'content', host)
    this.builder = new PackBuilder(vault, 'content', (pack) => this.send(pack), store.packBytes)
  }

  /** Calls may be sent ahead; they run one after the other. */
  call(method: string, args: unknown): Promise<unknown> {
    const next = this.last.then(() => this.run(method, args))
    this.last = next.catch(() => undefined)
    return next
  }

  private run(method: string, args: unknown): unknown {
    this.host.throwIfAborted()
    if (method === 'bad') return this.index.setBad(args as BadPlaces[])
    if (method === 'directory') return readDirectory(this.vault, args as DirectoryJob)
    if (method === 'saved') return this.save(args as FoundChunks)
    if (method === 'begin') return this.begin()
    if (method === 'losses') return findLosses(this.reader, this.notebook, args as LossJob)
    if (method === 'lost rows') return this.notebook.lostRows
    if (method === 'lost paths') return this.notebook.lostPaths
    if (method === 'lost') return this.isLost(args as { id: Uint8Array; bytes: number })
    if (method === 'salvage') return this.salvage(args as SalvageJob)
    if (method === 'wanted') return this.want(args as LostRows)
    if (method === 'file') return this.healing!.file(args as FileHeal)
    if (method === 'chunk') return this.chunk(args as { id: Uint8Array; bytes: number })
    if (method === 'put') return this.healing!.chunk(args as Uint8Array)
    if (method === 'data') return this.data(args as StreamPiece)
    if (method === 'end') return this.healing!.end(args as StreamTail)
    if (method === 'reset') return this.healing!.reset()
    if (method === 'found') return this.healing?.foundChunks
    if (method === 'finish') return this.finish()
    throw new BackupError('INTERNAL', `repair has no method ${method}`, { origin: 'repository' })
  }

  private isLost({ id, bytes }: { id: Uint8Array; bytes: number }): boolean {
    if (this.saved.has(id) || this.index.trouble(id, bytes) === undefined) return false
    this.notebook.lost(id, bytes, false)
    return true
  }

  /** Null where it cannot be had. */
  private async chunk({ id, bytes }: { id: Uint8Array; bytes: number }): Promise<Moved | null> {
    if (this.index.trouble(id, bytes)) return null
    const found = await whereThere(() => this.reader.chunk(id, bytes))
    if (!found) return null
    const copy = new Uint8Array(found)
    return new Moved(copy, [copy.buffer])
  }

  private begin(): void {
    this.notebook = new LossNotebook(this.saved)
  }

  /** From now on these count as being there. False: not all that names others could be kept. */
  private save({ rows, named, areAllNamed }: FoundChunks): boolean {
    this.saved.addAll(rows)
    return areAllNamed && named.filter(({ id, bytes }) => !this.reader.keep(id, bytes)).length === 0
  }

  private want(wanted: LostRows): void {
    this.healing = new Healing(this.vault, wanted, this.store, this.host)
  }

  /** Its buffer goes back, to be filled again. */
  private async data(piece: StreamPiece): Promise<Moved> {
    await this.healing!.data(piece)
    return new Moved(piece.bytes, [piece.bytes.buffer])
  }

  private async salvage(job: SalvageJob): Promise<SalvageAnswer> {
    const answer = salvage(this.vault, this.builder!, this.index.tables[job.table]!, job)
    await this.drain(1)
    return answer
  }

  private send(pack: FinishedPack): void {
    const sent = this.host
      .call('pack', pack, [pack.bytes.buffer])
      .then((buffer) => {
        if (buffer instanceof ArrayBuffer) this.builder!.recycle(buffer)
      })
      .catch((error: unknown) => {
        this.failure ??= error
      })
    this.waiting.add(sent)
    void sent.then(() => this.waiting.delete(sent))
  }

  private async drain(atMost: number): Promise<void> {
    while (this.waiting.size > atMost) await Promise.race(this.waiting)
    if (this.failure !== undefined) throw this.failure
  }

  /** All that was saved is in the target once this resolves. */
  private async finish(): Promise<StoreCounters> {
    this.builder?.finish()
    await this.drain(0)
    await this.store?.finish()
    return this.store?.counters ?? { newChunks: 0, newBytes: 0, storedBytes: 0 }
  }
}
