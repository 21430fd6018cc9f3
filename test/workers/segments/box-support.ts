import { expect } from 'vitest'
import { type KeyClass, Keyring } from '../../../src/crypto/keyring.ts'
import { decodeBoxHeader } from '../../../src/model/box.ts'
import { TransformRegistry } from '../../../src/transforms/registry.ts'
import type { Transform } from '../../../src/transforms/transform.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import { createOpener, createSealer, type OpenOptions } from '../../../src/workers/segments/box.ts'
import { seededBytes } from '../../chunking/seeded.ts'

export const REPOSITORY = 'r-4f2k'
export const SEALED: readonly KeyClass[] = ['index', 'control', 'content', 'snapshots']
export const text = new TextEncoder().encode('the quick brown fox jumps over the lazy dog\n'.repeat(40))
export const noise = seededBytes(5000, 1)
export const encrypted = Keyring.fromPlain({
  encrypted: true,
  root: seededBytes(32, 11),
  epochs: [{ n: 1, secret: seededBytes(32, 12) }],
})
export const keyrings = { encrypted, unencrypted: Keyring.none(REPOSITORY) }
export const corrupt = (reason?: string) =>
  expect.objectContaining({
    code: 'OBJECT_CORRUPT',
    origin: 'repository',
    retryable: false,
    ...(reason === undefined ? {} : { details: expect.objectContaining({ reason }) }),
  })

export const sealer = (keyring: Keyring, transforms: Transform[] = [zstd()]) =>
  createSealer({ keyring, repositoryId: REPOSITORY, transforms })
export const opener = (keyring: Keyring, custom: Transform[] = [], repositoryId = REPOSITORY) =>
  createOpener({ keyring, repositoryId, transforms: new TransformRegistry(custom) })
export const content = (options: Partial<OpenOptions> = {}): OpenOptions => ({
  cls: 'content',
  maxRawBytes: 2 ** 26,
  ...options,
})
export const idsOf = (box: Uint8Array) => decodeBoxHeader(box, 0).header.transforms
