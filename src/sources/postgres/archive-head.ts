/** An archive of pg_dump says when it was made, and would be another one each time for that alone. */

const MAGIC = Buffer.from('PGDMP')
const INT_SIZE_AT = 8
const COMPRESSION_AT = 11
/** Second, minute, hour, day, month, year since 1900, summer time: as C has them. */
const MADE = [0, 0, 0, 1, 0, 100, 0]
/** More than any head of an archive up to its time. */
const HEAD_BYTES = 128

/** The same archive, made on the first of January 2000. */
export async function* withoutTime(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of pieces) {
    if (head === undefined) {
      yield piece
      continue
    }
    head = Buffer.concat([head, piece])
    if (head.length < HEAD_BYTES) continue
    yield timeless(head)
    head = undefined
  }
  if (head !== undefined && head.length > 0) yield timeless(head)
}

/** Integers are a byte for the sign, then `intSize` bytes, the lowest first. */
function timeless(head: Buffer): Uint8Array {
  const bytes = new Uint8Array(head)
  const [minor, intSize] = [bytes[6], bytes[INT_SIZE_AT]]
  if (!head.subarray(0, MAGIC.length).equals(MAGIC) || minor === undefined || intSize !== 4) return bytes
  // Since 1.15 the compression is one byte.
  const from = COMPRESSION_AT + (minor >= 15 ? 1 : 1 + intSize)
  if (bytes.length < from + MADE.length * (1 + intSize)) return bytes
  for (const [index, value] of MADE.entries()) {
    const at = from + index * (1 + intSize)
    bytes.fill(0, at, at + 1 + intSize)
    bytes[at + 1] = value
  }
  return bytes
}
