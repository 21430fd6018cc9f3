import { gunzipSync, gzipSync } from 'node:zlib'
import { declareBuiltin } from './builtin.ts'
import { defineTransform, type Transform } from './transform.ts'
import { checkLevel, decompress, outputChunkBytes } from './zlib.ts'

export interface GzipOptions {
  /** 1 to 9; default 6. */
  level?: number
}

/**
 * Compresses with gzip: slower and larger than `zstd()`, readable everywhere.
 * @throws BackupError INVALID_OPTIONS
 */
export function gzip({ level = 6 }: GzipOptions = {}): Transform {
  checkLevel('gzip', level, 1, 9)
  const transform = defineTransform({
    id: 'gzip',
    kind: 'compress',
    encode: (segment) => gzipSync(segment, { level, chunkSize: Math.max(64, segment.length + 256) }),
    decode(segment, { maxBytes }) {
      const chunkSize = outputChunkBytes(segment.length, maxBytes)
      const options = { chunkSize, maxOutputLength: Math.max(1, maxBytes), info: true }
      return decompress('gzip', segment, maxBytes, () => gunzipSync(segment, options))
    },
  })
  return declareBuiltin(transform, 'gzip', { level })
}
