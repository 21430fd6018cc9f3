/** A scan does not know extended attributes. A stored meta that has some is compared with a scanned one without them. */
import { readMeta, writeMeta, XATTRS_ATTRIBUTE } from '../../model/entry.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'

const HAS_ATTRIBUTES = 64
const BEGINNING = Buffer.from(`{"${XATTRS_ATTRIBUTE}":`)

/**
 * True if the stored meta is the scanned one and extended attributes. Mostly these are all the attributes it has, and stand
 * behind everything else, so bytes are compared, and nothing is decoded.
 */
export function isSameButForXattrs(
  stored: Buffer,
  storedStart: number,
  storedEnd: number,
  scanned: Buffer,
  start: number,
  end: number,
): boolean {
  const length = end - start
  if (storedEnd - storedStart <= length || stored[storedStart] !== scanned[start]) return false
  const flags = scanned[start + 1]!
  if (flags & HAS_ATTRIBUTES) {
    return isSameDecoded(stored.subarray(storedStart, storedEnd), scanned.subarray(start, end))
  }
  if (stored[storedStart + 1] !== (flags | HAS_ATTRIBUTES)) return false
  const behind = storedStart + length
  if (stored.compare(scanned, start + 2, end, storedStart + 2, behind) !== 0) return false
  let text = behind
  while (stored[text++]! >= 0x80);
  return (
    text + BEGINNING.length <= storedEnd &&
    stored.compare(BEGINNING, 0, BEGINNING.length, text, text + BEGINNING.length) === 0
  )
}

/** Devices have attributes of their own. */
function isSameDecoded(stored: Buffer, scanned: Buffer): boolean {
  const meta = readMeta(new ByteReader(stored))
  const { [XATTRS_ATTRIBUTE]: xattrs, ...attributes } = meta.attributes ?? {}
  if (xattrs === undefined) return false
  const out = new ByteWriter(scanned.length + 16)
  writeMeta(out, { ...meta, attributes })
  return out.view().equals(scanned)
}
