import { derive } from '../crypto/derive.ts'

/**
 * 256 numbers of 32 bits, one for each byte value, from the repository's chunking key. Little endian on every machine,
 * since the cut points depend on it.
 */
export function gearTable(chunkingKey: Uint8Array): Int32Array {
  const bytes = derive(chunkingKey, 'holdfast/1/gear', 1024)
  const view = new DataView(bytes.buffer)
  return Int32Array.from({ length: 256 }, (_, i) => view.getInt32(i * 4, true))
}
