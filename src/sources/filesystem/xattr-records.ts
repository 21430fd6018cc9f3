/** Extended attributes into metas that were made without them: those of a scan, and records of what was read. */
import type { Warning } from '../../events.ts'
import { MAX_ATTRIBUTE_BYTES, MetaPeek, readMeta, TYPE_SYMLINK, withXattrs, writeMeta } from '../../model/entry.ts'
import type { EntryBatch } from '../../model/entry-batch.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { askXattrs, type FoundXattrs } from './xattrs.ts'

/** Where the files of a batch or a job lie. */
export type Place = Pick<EntryBatch, 'root' | 'prefixBytes' | 'follow'>

export interface Dressed {
  bytes: Uint8Array<ArrayBuffer>
  warnings: Warning[]
  /** Of some nothing is known: they must be asked again. */
  failed: boolean
}

/** `records`: u32-prefixed; each a meta, or (`inRecord`) varint meta bytes, meta, streams. */
export async function withXattrsOf(
  records: Uint8Array<ArrayBuffer>,
  place: Place,
  inRecord: boolean,
): Promise<Dressed> {
  const paths = [...pathsOf(records, inRecord)].map((path) => `${place.root}/${path.slice(place.prefixBytes)}`)
  const asked = await askXattrs(paths, place.follow)
  const warnings = warningsOf(asked)
  if (asked.found.size === 0) return { bytes: records, warnings, failed: asked.failed }
  const out = new ByteWriter(records.length * 2)
  const input = new ByteReader(records)
  for (const path of paths) {
    const end = input.u32() + input.position
    const metaEnd = inRecord ? input.varint() + input.position : end
    const meta = input.bytes.subarray(input.position, metaEnd)
    // Of a link that leads in a circle, or back up, it would be those of what it leads to.
    const isLink = place.follow && meta[0] === TYPE_SYMLINK
    const xattrs = isLink ? undefined : asked.found.get(path)
    const dressed = xattrs === undefined ? meta : dress(meta, xattrs, warnings)
    const at = out.reserve(4)
    if (inRecord) out.varint(dressed.length)
    out.raw(dressed)
    out.raw(input.bytes.subarray(metaEnd, end))
    out.bytes.writeUInt32LE(out.length - at - 4, at)
    input.position = end
  }
  return { bytes: out.copy(), warnings, failed: asked.failed }
}

/** A batch of a scan, with the attributes of all its entries. */
export async function dressBatch(batch: EntryBatch): Promise<{ batch: EntryBatch; warnings: Warning[] }> {
  if (batch.count === 0) return { batch, warnings: [] }
  const { bytes, warnings } = await withXattrsOf(batch.metas, batch, false)
  return { batch: { ...batch, metas: bytes }, warnings }
}

function* pathsOf(records: Uint8Array, inRecord: boolean): Generator<string> {
  const input = new ByteReader(records)
  const peek = new MetaPeek()
  while (!input.atEnd) {
    const end = input.u32() + input.position
    if (inRecord) input.varint()
    peek.read(input)
    input.position = end
    yield peek.path
  }
}

function dress(bytes: Buffer, xattrs: Readonly<Record<string, string>>, warnings: Warning[]): Buffer {
  const meta = withXattrs(readMeta(new ByteReader(bytes)), xattrs)
  const size = Buffer.byteLength(JSON.stringify(meta.attributes))
  if (size > MAX_ATTRIBUTE_BYTES) {
    const path = latin1ToUser(meta.path)
    const message = `${JSON.stringify(path)} has extended attributes of ${size} bytes as JSON, more than can be kept`
    warnings.push({ code: 'XATTRS_NOT_READ', message, path, details: { bytes: size, limit: MAX_ATTRIBUTE_BYTES } })
    return bytes
  }
  const out = new ByteWriter(bytes.length + size + 64)
  writeMeta(out, meta)
  return out.view()
}

function warningsOf({ problems }: FoundXattrs): Warning[] {
  const [first] = problems
  if (first === undefined) return []
  const message = `extended attributes of ${problems.length} entries could not be read: ${latin1ToUser(first)}`
  return [{ code: 'XATTRS_NOT_READ', message, details: { count: problems.length } }]
}
