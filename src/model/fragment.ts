/**
 * Index fragments: facts of the form "these packs hold these chunks", and the run that says so.
 *
 *   fragment = u8 version, 3 bytes 0, 32 random bytes, run id, u32 packs,
 *              each pack: 32 bytes name, u32 pack bytes, u32 directory bytes, directory (pack.ts)
 */
import { ByteReader, ByteWriter, MalformedBytes, varintBytes } from '../util/bytes.ts'
import { MAX_DIRECTORY_BYTES } from './pack.ts'

const VERSION = 1
const RANDOM_BYTES = 32
const MAX_RUN_ID_BYTES = 128
/** Name, pack bytes, directory bytes. */
const PACK_HEAD_BYTES = 40

export interface PackFacts {
  /** SHA-256 of the pack's bytes. */
  name: Uint8Array
  packBytes: number
  /** Plain directory (pack.ts). */
  directory: Uint8Array
}

export interface Fragment {
  runId: string
  packs: PackFacts[]
}

export function encodeFragment(fragment: Fragment, random: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(fragmentBytes(fragment))
  out.u32(VERSION)
  out.raw(random)
  out.latin1(fragment.runId)
  out.u32(fragment.packs.length)
  for (const pack of fragment.packs) {
    out.raw(pack.name)
    out.u32(pack.packBytes)
    out.u32(pack.directory.length)
    out.raw(pack.directory)
  }
  // It can be tens of megabytes: where the buffer is just full it need not be copied.
  return out.length === out.bytes.length ? new Uint8Array(out.bytes.buffer) : out.copy()
}

function fragmentBytes({ runId, packs }: Fragment): number {
  const head = 4 + RANDOM_BYTES + varintBytes(runId.length) + runId.length + 4
  return packs.reduce((sum, { directory }) => sum + PACK_HEAD_BYTES + directory.length, head)
}

/** Directories are views of `bytes`. */
export function decodeFragment(bytes: Uint8Array): Fragment {
  const input = new ByteReader(bytes)
  if (input.u32() !== VERSION) throw new MalformedBytes('not an index fragment')
  input.take(RANDOM_BYTES)
  const runId = input.latin1(MAX_RUN_ID_BYTES)
  const count = input.u32()
  const packs: PackFacts[] = []
  for (let i = 0; i < count; i++) {
    const name = input.raw(32)
    const packBytes = input.u32()
    const length = input.u32()
    if (length > MAX_DIRECTORY_BYTES) throw new MalformedBytes('directory too long')
    packs.push({ name, packBytes, directory: input.raw(length) })
  }
  if (!input.atEnd) throw new MalformedBytes('bytes after the fragment')
  return { runId, packs }
}
