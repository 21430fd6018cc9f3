/** A transform of one's own. This is the module that each worker loads, so it holds nothing else. */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import type { Transform } from 'holdfast'

/** Smaller than zstd on text, and slower. `quality`: 0 to 11, default 5. */
export function brotli(options: { quality?: number } = {}): Transform {
  const params = { [constants.BROTLI_PARAM_QUALITY]: options.quality ?? 5 }
  return {
    apiVersion: 1,
    // Stored beside everything it made: another encoding needs another id.
    id: 'example-brotli',
    kind: 'compress',
    encode: (segment) => brotliCompressSync(segment, { params }),
    decode: (segment, { maxBytes }) => brotliDecompressSync(segment, { maxOutputLength: maxBytes }),
    worker: { url: new URL(import.meta.url), export: 'brotli', options: { ...options } },
  }
}
