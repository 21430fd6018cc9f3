/** The golden repositories: how each was made, and so how it is opened. */

import type { IdAlgorithm } from '../../src/crypto/chunk-id.ts'
import type { EngineOptions } from '../../src/engine/types/engine.ts'
import { passphrase, rawKey } from '../../src/repository/key-slots-key.ts'
import { gzip } from '../../src/transforms/gzip.ts'
import type { Transform } from '../../src/transforms/transform.ts'
import { zstd } from '../../src/transforms/zstd.ts'

export interface Golden {
  name: string
  key: EngineOptions['key']
  transforms: readonly Transform[]
  idAlgorithm: IdAlgorithm
  /** Between the two backups a key is added, and the keys are rotated. */
  isRotated?: true
}

export const REPOSITORIES_FOLDER = new URL('repositories/', import.meta.url).pathname
export const EXPECTED_FILE = new URL('expected.json', import.meta.url).pathname
export const SCENES_FILE = new URL('scenes.json', import.meta.url).pathname
export const VECTORS_FILE = new URL('vectors.json', import.meta.url).pathname

/** The weakest that a reader accepts, so that tests open it in some milliseconds. */
export const CHEAP_KDF = { N: 2 ** 15, r: 1, p: 1 }

/** Of the repository whose keys were rotated. */
export const ROTATED_KEY = Uint8Array.from({ length: 32 }, (_, i) => i)

export const GOLDEN: readonly Golden[] = [
  {
    name: 'encrypted',
    key: passphrase('correct horse battery staple'),
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha512-256',
  },
  {
    name: 'two-epochs',
    key: rawKey(ROTATED_KEY),
    transforms: [zstd()],
    idAlgorithm: 'hmac-sha256',
    isRotated: true,
  },
  { name: 'zstd', key: 'none', transforms: [zstd()], idAlgorithm: 'hmac-sha256' },
  { name: 'gzip', key: 'none', transforms: [gzip()], idAlgorithm: 'hmac-sha512-256' },
  { name: 'plain', key: 'none', transforms: [], idAlgorithm: 'hmac-sha256' },
]
