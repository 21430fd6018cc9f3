/** Entries into a ZIP, one after the other. */
import { once } from 'node:events'
import { promisify } from 'node:util'
import { crc32, createDeflateRaw, type DeflateRaw, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { type Sha256Stream, sha256Hex, sha256Stream } from '../../crypto/hash.ts'
import type { ArchiveOut } from './archive-out.ts'
import { DEFLATED, descriptor, localHeader, STORED, type ZipEntryBody, type ZipEntryHead } from './headers.ts'
import type { LedgerRecord } from './ledger.ts'

/** What is known of an entry that was written; its holes are known to whoever read it. */
export type WrittenEntry = Omit<LedgerRecord, 'hasHoles'>

const deflateAside = promisify(deflateRaw)
/** Shorter ones are not worth another thread. */
const ASIDE_BYTES = 32 * 1024
/** Less can hardly shrink. */
const LEAST_BYTES = 48
const SAMPLE_BYTES = 64 * 1024
/** A sample that shrinks by less is of media, archives or ciphertext. */
const WORTH_IT = 0.97
const EMPTY: ZipEntryBody = { method: STORED, hasDescriptor: false, crc: 0, storedBytes: 0, bytes: 0 }

export class ZipWriter {
  private readonly out: ArchiveOut
  private readonly level: number

  constructor(out: ArchiveOut, level: number) {
    this.out = out
    this.level = level
  }

  /** One whose content is at hand. */
  async add(head: ZipEntryHead, bytes: Uint8Array): Promise<WrittenEntry> {
    const packed = await this.deflated(bytes)
    const data = packed ?? bytes
    const method = packed ? DEFLATED : STORED
    const body = { ...EMPTY, method, crc: crc32(bytes), storedBytes: data.length, bytes: bytes.length }
    await this.out.write(localHeader(head, body))
    if (data.length > 0) await this.out.write(data)
    return { ...body, sha256: sha256Hex(bytes) }
  }

  /** Undefined where it would not get smaller. */
  private async deflated(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (bytes.length === 0 || !isWorthIt(bytes, this.level)) return undefined
    const packed =
      bytes.length < ASIDE_BYTES
        ? deflateRawSync(bytes, small(bytes.length, this.level))
        : await deflateAside(bytes, { level: this.level })
    return packed.length < bytes.length ? packed : undefined
  }

  /** One that comes in parts; its sizes follow the data. */
  async begin(head: ZipEntryHead, sample: Uint8Array): Promise<StreamedEntry> {
    const method = isWorthIt(sample, this.level) ? DEFLATED : STORED
    await this.out.write(localHeader(head, { ...EMPTY, method, hasDescriptor: true }))
    return new StreamedEntry(this.out, head, method, this.level)
  }
}

/** By default each call takes 270 KB for its tables, whatever the length. */
function small(length: number, level: number): ZlibOptions {
  const windowBits = Math.min(Math.max(Math.ceil(Math.log2(length + 1)), 9), 15)
  return { level, windowBits, memLevel: Math.min(Math.max(windowBits - 7, 1), 8), chunkSize: length + 64 }
}

function isWorthIt(bytes: Uint8Array, level: number): boolean {
  if (level === 0 || bytes.length < LEAST_BYTES) return false
  if (bytes.length <= SAMPLE_BYTES) return true
  const sample = bytes.subarray(0, SAMPLE_BYTES)
  return deflateRawSync(sample, { level: 1 }).length < sample.length * WORTH_IT
}

export class StreamedEntry {
  private readonly out: ArchiveOut
  private readonly head: ZipEntryHead
  private readonly method: number
  private readonly sha: Sha256Stream = sha256Stream()
  private readonly deflater: Deflater | undefined
  private crc = 0
  private bytes = 0
  private storedBytes = 0

  constructor(out: ArchiveOut, head: ZipEntryHead, method: number, level: number) {
    this.out = out
    this.head = head
    this.method = method
    this.deflater = method === DEFLATED ? new Deflater(level, (packed) => this.store(packed)) : undefined
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.crc = crc32(bytes, this.crc)
    this.sha.update(bytes)
    this.bytes += bytes.length
    await (this.deflater ? this.deflater.write(bytes) : this.store(bytes))
  }

  private async store(bytes: Uint8Array): Promise<void> {
    this.storedBytes += bytes.length
    await this.out.write(bytes)
  }

  async end(): Promise<WrittenEntry & ZipEntryBody> {
    await this.deflater?.end()
    const { method, crc, storedBytes, bytes } = this
    const body = { method, hasDescriptor: true, crc, storedBytes, bytes }
    await this.out.write(descriptor(this.head, body))
    return { ...body, sha256: this.sha.digestHex() }
  }

  /** After a failure. */
  destroy(): void {
    this.deflater?.destroy()
  }
}

/** What comes out is handed on before more is taken. */
class Deflater {
  private readonly stream: DeflateRaw
  private readonly pumped: Promise<void>

  constructor(level: number, store: (packed: Uint8Array) => Promise<void>) {
    this.stream = createDeflateRaw({ level, chunkSize: 128 * 1024 })
    this.pumped = this.pump(store)
    this.pumped.catch(() => undefined)
  }

  private async pump(store: (packed: Uint8Array) => Promise<void>): Promise<void> {
    for await (const packed of this.stream) await store(packed as Buffer)
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.stream.write(bytes)) await Promise.race([once(this.stream, 'drain'), this.pumped])
  }

  async end(): Promise<void> {
    this.stream.end()
    await this.pumped
  }

  destroy(): void {
    this.stream.destroy()
  }
}
