/** What a worker needs to turn chunks into stored bytes and back: keys, hasher, transforms, chunk profile. */
import { gearTable } from '../../chunking/gear.ts'
import type { ChunkProfile } from '../../chunking/profiles.ts'
import { createIdHasher, type IdAlgorithm, type IdHasher } from '../../crypto/chunk-id.ts'
import { Keyring, type KeyringPlain } from '../../crypto/keyring.ts'
import { TransformRegistry } from '../../transforms/registry.ts'
import { loadTransform, type TransformSpec } from '../../transforms/spec.ts'
import type { Transform } from '../../transforms/transform.ts'
import { createOpener, createSealer, type Opener, type Sealer } from './box.ts'

/** Plain data, but for `transforms` of an engine that runs inline. */
export interface VaultPlain {
  repositoryId: string
  keyring: KeyringPlain
  idAlgorithm: IdAlgorithm
  /** Of files, and of all that names none. */
  profile: ChunkProfile
  /** Of streams of rows. */
  tableProfile: ChunkProfile
  /** For new data, in the order they are applied. */
  encode: readonly (TransformSpec | Transform)[]
  /** Custom ones that stored data may name. */
  decode: readonly (TransformSpec | Transform)[]
  /** Open each segment again before it is uploaded. */
  compare: boolean
}

export interface Vault {
  readonly repositoryId: string
  readonly keyring: Keyring
  readonly hasher: IdHasher
  readonly gear: Int32Array
  readonly profile: ChunkProfile
  readonly tableProfile: ChunkProfile
  readonly sealer: Sealer
  readonly opener: Opener
  readonly compare: boolean
}

export async function createVault(plain: VaultPlain): Promise<Vault> {
  const keyring = Keyring.fromPlain(plain.keyring)
  const encode = await Promise.all(plain.encode.map(load))
  const registry = new TransformRegistry(await Promise.all([...plain.decode, ...encode].map(load)))
  const { repositoryId } = plain
  let gear: Int32Array | undefined
  return {
    repositoryId,
    keyring,
    hasher: createIdHasher(plain.idAlgorithm, keyring.idsKey),
    // Most sessions cut nothing.
    get gear() {
      gear ??= gearTable(keyring.chunkingKey)
      return gear
    },
    profile: plain.profile,
    tableProfile: plain.tableProfile,
    sealer: createSealer({ keyring, repositoryId, transforms: encode }),
    opener: createOpener({ keyring, repositoryId, transforms: registry }),
    compare: plain.compare,
  }
}

async function load(transform: TransformSpec | Transform): Promise<Transform> {
  return 'encode' in transform ? transform : loadTransform(transform)
}
