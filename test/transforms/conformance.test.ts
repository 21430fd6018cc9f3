import { describe, it } from 'vitest'
import { transformConformance } from '../../src/testing/transform-conformance.ts'
import { aes256gcm } from '../../src/transforms/aes256gcm.ts'
import { gzip } from '../../src/transforms/gzip.ts'
import { zstd } from '../../src/transforms/zstd.ts'
import { brotli, parity } from './fixtures/brotli.ts'

const transforms = {
  zstd: () => zstd(),
  'zstd, level 9': () => zstd({ level: 9 }),
  gzip: () => gzip(),
  'aes-256-gcm': () => aes256gcm(),
  'a brotli of your own': () => brotli({ level: 4 }),
  'a transform of another kind': () => parity(),
}

for (const [name, create] of Object.entries(transforms)) {
  describe(name, () => transformConformance({ describe, it }, { create }))
}
