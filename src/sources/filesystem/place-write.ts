/** Bytes into an open file. */
import { writeSync, writevSync } from 'node:fs'

/** As large as most file systems' blocks, and few have smaller ones. */
const HOLE_BYTES = 4096
const ZEROS = Buffer.alloc(HOLE_BYTES)

/** All but the blocks of the file that would be nothing but zeros. */
export function writeAround(fd: number, position: number, bytes: Uint8Array): void {
  let from = 0
  for (
    let at = (HOLE_BYTES - (position % HOLE_BYTES)) % HOLE_BYTES;
    at + HOLE_BYTES <= bytes.length;
    at += HOLE_BYTES
  ) {
    if (bytes[at] !== 0 || ZEROS.compare(bytes, at, at + HOLE_BYTES) !== 0) continue
    writePart(fd, position, bytes, from, at)
    from = at + HOLE_BYTES
  }
  writePart(fd, position, bytes, from, bytes.length)
}

export function writePart(fd: number, position: number, bytes: Uint8Array, from: number, to: number): void {
  for (let done = from; done < to; ) done += writeSync(fd, bytes, done, to - done, position + done)
}

/** From the beginning of a file that is new. */
export function writeAll(fd: number, parts: readonly Uint8Array[]): void {
  const wanted = parts.reduce((sum, part) => sum + part.length, 0)
  if (wanted === 0) return
  let done = parts.length === 1 ? writeSync(fd, parts[0]!) : writevSync(fd, parts)
  if (done === wanted) return
  for (const part of parts) {
    const from = part.length - Math.min(part.length, Math.max(0, part.length - done))
    done -= from
    for (let at = from; at < part.length; ) at += writeSync(fd, part, at)
  }
}
