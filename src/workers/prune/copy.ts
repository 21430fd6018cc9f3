/**
 * Worker service 'prune-copy': takes segments that are to be kept out of packs that are mostly dead, and fills new packs with
 * them. As they are, since a segment is not bound to its place; where little of one is needed, that is sealed anew. All of
 * it is opened and its chunks are checked first: the copy will be the only one.
 */
import { looksIncompressible } from '../../chunking/entropy.ts'
import { BackupError } from '../../errors.ts'
import { decodeBoxHeader } from '../../model/box.ts'
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { ID_LENGTH } from '../../model/streams.ts'
import { release } from '../../util/bytes.ts'
import type { ChunkTable, ChunkTablePlain, IndexedSegment } from '../chunks/chunk-index.ts'
import { type FinishedPack, PackBuilder } from '../ingest/pack-builder.ts'
import { openSegment } from '../segments/segment-open.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'
import { MarkedIndex, type PruneMarks, type PruneMarksPlain } from './marks.ts'
import { isCopiedWhole, rawBytesOf } from './tally.ts'

/** The main thread answers 'pack' (a pack that is full) with its buffer. */
export interface PruneCopyInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  marks: PruneMarksPlain[]
  /** That packs are rewritten for. */
  minDeadShare: number
  /** Of the new packs, at most. */
  packBytes: number
}

export interface CopyJob {
  table: number
  pack: number
  /** Where `bytes` begins in the pack. */
  start: number
  bytes: Uint8Array
}

/** `damage`: what is wrong with the segments; nothing of the pack may be given up then. */
export interface CopyAnswer {
  damage?: string
}

/** Packs that may wait for their upload before the worker does. */
const MAX_WAITING_PACKS = 1

export async function createPruneCopy(init: PruneCopyInit, host: Host): Promise<Service> {
  return new PruneCopy(await createVault(init.vault), init, host)
}

class PruneCopy implements Service {
  private readonly vault: Vault
  private readonly index: MarkedIndex
  private readonly host: Host
  private readonly minDeadShare: number
  private readonly content: PackBuilder
  private readonly tree: PackBuilder
  private readonly waiting = new Set<Promise<void>>()
  /** What is chosen of a segment, one behind the other. */
  private chosen = new Uint8Array(0)
  private failure: unknown

  constructor(vault: Vault, init: PruneCopyInit, host: Host) {
    this.vault = vault
    this.index = new MarkedIndex(init.tables, init.marks)
    this.host = host
    this.minDeadShare = init.minDeadShare
    this.content = new PackBuilder(vault, 'content', (pack) => this.send(pack, this.content), init.packBytes)
    this.tree = new PackBuilder(vault, 'tree', (pack) => this.send(pack, this.tree), init.packBytes)
  }

  async call(method: string, args: unknown): Promise<unknown> {
    if (method === 'copy') return await this.copy(args as CopyJob)
    if (method === 'finish') return await this.finish()
    throw new BackupError('INTERNAL', `prune-copy has no method ${method}`, { origin: 'repository' })
  }

  private async copy({ table: number, pack, start, bytes }: CopyJob): Promise<CopyAnswer> {
    const table = this.index.tables[number]!
    const marks = this.index.marks[number]!
    try {
      for (const segment of table.segmentsOf(pack)) {
        const isInside = segment.offset >= start && segment.offset + segment.storedBytes <= start + bytes.length
        if (isInside) this.segment(bytes, segment.offset - start, table, marks, pack, segment)
      }
    } catch (error) {
      if (!BackupError.is(error) || error.origin !== 'repository') throw error
      return { damage: error.message }
    } finally {
      release(bytes)
    }
    await this.drain(MAX_WAITING_PACKS)
    return {}
  }

  private segment(
    bytes: Uint8Array,
    at: number,
    table: ChunkTable,
    marks: PruneMarks,
    pack: number,
    segment: IndexedSegment,
  ): void {
    const neededRaw = rawBytesOf(table, segment, (entry) => marks.isNeeded(entry))
    if (neededRaw === 0) return
    this.host.throwIfAborted()
    const whole = isCopiedWhole(segment.rawBytes, neededRaw, this.minDeadShare)
    const raw = openSegment(this.vault, bytes, at, { pack: table.packName(pack), ...segment })
    const chosen = this.checked(raw, table, segment, (entry) => whole || marks.isNeeded(entry))
    const builder = this.isTree(marks, segment) ? this.tree : this.content
    // A pack is of one epoch: what is older is sealed anew on the way.
    const isCurrent = decodeBoxHeader(bytes, at).header.epoch === this.vault.keyring.newestEpoch
    if (whole && isCurrent)
      builder.addSealed(bytes.subarray(at, at + segment.storedBytes), segment.rawBytes, chosen.rows)
    else builder.add(chosen.raw, chosen.rows, !looksIncompressible(chosen.raw, 0, chosen.raw.length))
    if (raw.buffer !== bytes.buffer) release(raw)
  }

  /** Pages and lists apart from content, as they were. */
  private isTree(marks: PruneMarks, { firstEntry, chunks }: IndexedSegment): boolean {
    for (let entry = firstEntry; entry < firstEntry + chunks; entry++) if (marks.isWalked(entry)) return true
    return false
  }

  /** Those chunks of a segment, every one checked against its id, with their part of a directory. Valid until the next call. */
  private checked(
    raw: Uint8Array,
    table: ChunkTable,
    { firstEntry, chunks }: IndexedSegment,
    isChosen: (entry: number) => boolean,
  ): { raw: Uint8Array; rows: Uint8Array } {
    if (this.chosen.length < raw.length) this.chosen = new Uint8Array(raw.length)
    const rows = new Uint8Array(chunks * CHUNK_ROW_BYTES)
    const view = new DataView(rows.buffer)
    let [offset, bytes, count] = [0, 0, 0]
    for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
      const length = table.lengthOf(entry)
      const end = offset + length
      if (isChosen(entry)) {
        const at = count++ * CHUNK_ROW_BYTES
        table.ids.copyId(entry, view, at)
        view.setUint32(at + ID_LENGTH, length, true)
        const id = rows.subarray(at, at + ID_LENGTH)
        if (!this.vault.hasher.matches(raw, offset, end, id)) throw damaged(id)
        this.chosen.set(raw.subarray(offset, end), bytes)
        bytes += length
      }
      offset = end
    }
    return {
      raw: count === chunks ? raw : this.chosen.subarray(0, bytes),
      rows: rows.subarray(0, count * CHUNK_ROW_BYTES),
    }
  }

  private send(pack: FinishedPack, builder: PackBuilder): void {
    const sent = this.host
      .call('pack', pack, [pack.bytes.buffer])
      .then((buffer) => {
        if (buffer instanceof ArrayBuffer) builder.recycle(buffer)
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

  /** Everything copied so far is in the target once this resolves. */
  private async finish(): Promise<void> {
    this.content.finish()
    this.tree.finish()
    await this.drain(0)
  }
}

function damaged(id: Uint8Array): BackupError {
  return new BackupError('OBJECT_CORRUPT', `chunk ${Buffer.from(id).toString('hex')} does not match its id`, {
    origin: 'repository',
  })
}
