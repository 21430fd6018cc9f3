/**
 * A tree made anew without some of its entries. Leaves of which every entry stays are taken over as they are; the pages
 * above them are the same where nothing below has changed. So a rewrite stores little but what it must.
 */
import { FINGERPRINT_BYTES } from '../../model/entry.ts'
import { fingerprintPageBytes, openLeaf, type PageRef, type TreeRoot } from '../../model/page.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { guard, type PageStop, PageWalk } from '../browse/page-cursor.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import type { PageBuilder } from '../tree/page-builder.ts'
import {
  createJudge,
  type EntryJudge,
  type JudgedEntry,
  type JudgePlain,
  metaOf,
  type Verdict,
  whereThere,
} from './judges.ts'

export interface RewriteJob {
  /** Name of the source that the tree is of. */
  source: string
  root: TreeRoot
  judge: JudgePlain
  /** So many of what is dropped are listed; all are counted. */
  listed: number
}

/** What is not in the new tree. */
export interface DroppedEntry {
  path: string
  /** More than one: a page was lost, `path` was the first below it, and the others' names are lost too. */
  entries: number
  /** Of content. */
  bytes: number
}

export interface RewriteAnswer {
  /** That of the old tree where nothing has changed; null where no entry is left. */
  root: TreeRoot | null
  changed: boolean
  entries: number
  contentBytes: number
  dropped: { entries: number; bytes: number; list: DroppedEntry[] }
  replaced: number
}

interface Leaf {
  ref: PageRef
  page: Buffer
  records: readonly LeafRecord[]
  fingerprints: Uint8Array
  /** The fingerprint page could be had. */
  printsStand: boolean
}

interface LeafRecord extends JudgedEntry {
  start: number
}

/** Where the new tree goes. */
export type TreeSink = Pick<PageBuilder, 'add' | 'addLeaf' | 'finish'>

/** What the walk waits for now and then, so that not everything is on its way to the target at once. */
type Drain = () => Promise<void>

export class TreeRewrite {
  private readonly reader: ChunkReader
  private readonly builder: TreeSink
  private readonly judge: EntryJudge
  private readonly job: RewriteJob
  private readonly drain: Drain
  private readonly answer: RewriteAnswer

  constructor(
    reader: ChunkReader,
    builder: TreeSink,
    drain: Drain,
    job: RewriteJob,
    judge = createJudge(job.source, job.judge, reader),
  ) {
    this.reader = reader
    this.builder = builder
    this.drain = drain
    this.job = job
    this.judge = judge
    const dropped = { entries: 0, bytes: 0, list: [] }
    this.answer = { root: null, changed: false, entries: 0, contentBytes: 0, dropped, replaced: 0 }
  }

  async run(): Promise<RewriteAnswer> {
    const { root } = this.job
    const walk = new PageWalk(this.reader, root, '')
    for (let stop = walk.peek(); stop; stop = walk.peek()) {
      this.reader.host.throwIfAborted()
      if (stop.level > 0) await this.open(walk, stop)
      else {
        const leaf = await this.load(stop.ref)
        walk.skip()
        if (leaf) await this.leaf(leaf)
        await this.drain()
      }
    }
    const made = this.builder.finish()
    this.answer.root = this.answer.changed ? made : root
    return this.answer
  }

  private async open(walk: PageWalk, stop: PageStop): Promise<void> {
    const opened = await this.orLost(stop.ref, async () => {
      await walk.descend(stop)
      return true
    })
    if (!opened) walk.skip()
  }

  private load(ref: PageRef): Promise<Leaf | undefined> {
    return this.orLost(ref, async () => {
      const page = await this.reader.chunk(ref.id, ref.pageBytes)
      const records = recordsOf(page)
      return { ref, page: records.page, records: records.list, ...(await this.fingerprints(ref, records.list.length)) }
    })
  }

  /** Lost fingerprints cost no entry: the next backup reads those files again. */
  private async fingerprints(ref: PageRef, entries: number): Promise<Pick<Leaf, 'fingerprints' | 'printsStand'>> {
    const bytes = fingerprintPageBytes(entries)
    const isNamed = ref.fingerprintId.some((byte) => byte !== 0)
    const found = isNamed ? await this.fingerprintPage(ref.fingerprintId, bytes) : undefined
    if (isNamed && found === undefined) this.answer.changed = true
    return { fingerprints: found ?? new Uint8Array(bytes), printsStand: found !== undefined }
  }

  private fingerprintPage(id: Uint8Array, bytes: number): Promise<Uint8Array | undefined> | undefined {
    const read = (): Promise<Uint8Array> => this.reader.chunk(id, bytes)
    if (!this.judge.passesLostPages) return read()
    return this.judge.isThere(id, bytes) ? whereThere(read) : undefined
  }

  private async orLost<T>(ref: PageRef, body: () => Promise<T>): Promise<T | undefined> {
    if (!this.judge.passesLostPages) return await body()
    const found = this.judge.isThere(ref.id, ref.pageBytes) ? await whereThere(body) : undefined
    if (found === undefined) this.drop(ref.firstPath, ref.entries, ref.contentBytes)
    return found
  }

  private async leaf(leaf: Leaf): Promise<void> {
    const verdicts: Verdict[] = []
    for (const record of leaf.records) {
      const verdict = this.judge.judge(record)
      verdicts.push(typeof verdict === 'object' && 'then' in verdict ? await verdict : verdict)
    }
    if (verdicts.every((verdict) => verdict === 'keep') && this.takeOver(leaf)) return
    for (const [number, record] of leaf.records.entries()) this.entry(leaf, record, number, verdicts[number]!)
  }

  private takeOver({ ref, records, fingerprints, printsStand }: Leaf): boolean {
    const last = records.at(-1)
    if (last === undefined) return true
    if (!this.builder.addLeaf(ref, metaOf(last).path, printsStand ? undefined : [fingerprints])) return false
    this.answer.entries += ref.entries
    this.answer.contentBytes += ref.contentBytes
    return true
  }

  private entry({ page, fingerprints }: Leaf, record: LeafRecord, number: number, verdict: Verdict): void {
    const { path, sizeBytes = 0 } = metaOf(record)
    if (verdict === 'drop') {
      this.drop(path, 1, sizeBytes)
      return
    }
    const kept = verdict === 'keep' ? page.subarray(record.start, record.streamsEnd) : verdict
    const bytes = verdict === 'keep' ? sizeBytes : sizeOf(verdict)
    this.builder.add(path, kept, fingerprints, number * FINGERPRINT_BYTES, bytes)
    this.answer.entries++
    this.answer.contentBytes += bytes
    if (verdict === 'keep') return
    this.answer.replaced++
    this.answer.changed = true
  }

  private drop(path: string, entries: number, bytes: number): void {
    const { dropped } = this.answer
    this.answer.changed = true
    this.judge.dropped?.(path, entries)
    dropped.entries += entries
    dropped.bytes += bytes
    if (dropped.list.length < this.job.listed) dropped.list.push({ path: latin1ToUser(path), entries, bytes })
  }
}

function recordsOf(leaf: Uint8Array): { page: Buffer; list: LeafRecord[] } {
  return guard('page', () => {
    const { records, entries } = openLeaf(leaf)
    const page = records.bytes
    const list: LeafRecord[] = []
    for (let i = 0; i < entries; i++) {
      const start = records.position
      const metaBytes = records.varint()
      const metaStart = records.take(metaBytes)
      const metaEnd = records.position
      const streamsBytes = records.varint()
      const streamsStart = records.take(streamsBytes)
      list.push({ page, start, metaStart, metaEnd, streamsStart, streamsEnd: records.position })
    }
    return { page, list }
  })
}

/** Of a record that takes another's place. */
function sizeOf(record: Uint8Array): number {
  const page = Buffer.from(record.buffer, record.byteOffset, record.length)
  const header = Buffer.alloc(8)
  header[0] = 1
  header[1] = 1
  header.writeUInt32LE(1, 4)
  return metaOf(recordsOf(Buffer.concat([header, page])).list[0]!).sizeBytes ?? 0
}
