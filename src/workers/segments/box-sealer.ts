import { deriveSegmentKey, sealInto as gcmSealInto, ZERO_NONCE } from '../../crypto/aead.ts'
import type { KeyClass, Keyring } from '../../crypto/keyring.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import {
  BOX_COMMITMENT_BYTES,
  BOX_SALT_BYTES,
  boxHeaderBytes,
  encodeBoxHeader,
  MAX_BOX_RAW_BYTES,
  MAX_BOX_STORED_BYTES,
  MAX_BOX_TRANSFORMS,
  WRAP,
} from '../../model/box.ts'
import { aes256gcm } from '../../transforms/aes256gcm.ts'
import { BUILTIN_IDS } from '../../transforms/builtin.ts'
import { orderTransforms } from '../../transforms/chain.ts'
import type { Transform } from '../../transforms/transform.ts'
import { failed } from '../../transforms/zlib.ts'
import { release } from '../../util/bytes.ts'
import { bindingOf, CHECKSUM_BYTES, checksum, encodeStep, encryptionOverhead, intermediateLimit } from './box-steps.ts'

export interface SealOptions {
  /** The object key that the box is good for, for everything that is an object of its own. Segments have none. */
  readonly bind?: string
  /** False leaves compression out: for what does not compress. */
  readonly compress: boolean
  /** Zeros to add before encryption, which hide the length. Default 0. */
  readonly padBytes?: number
}

export interface Sealer {
  /** A new box in a buffer of its own. Two calls never give the same bytes: each draws a new salt. */
  seal(cls: KeyClass, raw: Uint8Array, options: SealOptions): Uint8Array<ArrayBuffer>
  /** Writes a new box into `out` at `offset` and gives its length, or -1 if it does not fit (`out` is then unchanged). */
  sealInto(out: Uint8Array, offset: number, cls: KeyClass, raw: Uint8Array, options: SealOptions): number
}

interface Encryption {
  readonly transform: Transform
  readonly overhead: number
}

/** The content after every transform but the encryption. */
interface Body {
  readonly bytes: Uint8Array
  readonly ids: readonly string[]
}

const NOTHING = new Uint8Array(0)
const NO_COMMITMENT = new Uint8Array(BOX_COMMITMENT_BYTES)
/** Compression that saves less costs more when reading than it is worth. */
const WORTHWHILE = 0.98

/**
 * Seals boxes under the newest epoch. `transforms` in any order; where the keyring encrypts and none of them does,
 * AES-256-GCM is added.
 * @throws BackupError INVALID_OPTIONS: a transform that encrypts without a key, or a chain that cannot be;
 * PLUGIN_INCOMPATIBLE; the calls: TRANSFORM_FAILED, LIMIT_EXCEEDED
 */
export function createSealer(options: {
  keyring: Keyring
  repositoryId: string
  transforms: readonly Transform[]
}): Sealer {
  const { keyring } = options
  const chain = orderTransforms(options.transforms)
  const encryption = chooseEncryption(keyring, chain.encrypt)
  const aadOf = bindingOf(options.repositoryId)
  if (chain.compress.length + chain.other.length + (encryption ? 1 : 0) > MAX_BOX_TRANSFORMS) throw tooMany()

  function prepare(raw: Uint8Array, { compress, padBytes = 0 }: SealOptions): Body & { storedBytes: number } {
    if (raw.length > MAX_BOX_RAW_BYTES) throw tooLarge('content', raw.length, MAX_BOX_RAW_BYTES)
    const body = pad(applyOther(chain.other, raw, compress ? applyCompress(chain.compress, raw) : plain(raw)), padBytes)
    const storedBytes = body.bytes.length + (encryption?.overhead ?? CHECKSUM_BYTES)
    if (storedBytes > MAX_BOX_STORED_BYTES) throw tooLarge('encoded content', storedBytes, MAX_BOX_STORED_BYTES)
    return { ...body, ids: encryption ? [...body.ids, encryption.transform.id] : body.ids, storedBytes }
  }

  function write(
    out: Uint8Array,
    offset: number,
    cls: KeyClass,
    rawBytes: number,
    body: Prepared,
    options: SealOptions,
  ) {
    const salt = randomBytes(BOX_SALT_BYTES)
    const keys = encryption && deriveSegmentKey(keyring.classKey(cls, keyring.newestEpoch), salt)
    const headerBytes = encodeBoxHeader(
      {
        wrapType: encryption ? WRAP.epoch : WRAP.none,
        wrapData: NOTHING,
        epoch: keyring.newestEpoch,
        cls,
        transforms: body.ids,
        salt,
        commitment: keys?.commitment ?? NO_COMMITMENT,
        rawBytes,
        storedBytes: body.storedBytes,
        padBytes: options.padBytes ?? 0,
      },
      out,
      offset,
    )
    const start = offset + headerBytes
    const aad = aadOf(options.bind, out.subarray(offset, start))
    if (encryption && keys) encryptInto(out, start, encryption, keys.key, aad, body.bytes)
    else checksumInto(out, start, aad, body.bytes)
  }

  return {
    seal(cls, raw, options) {
      checkClass(cls)
      const body = prepare(raw, options)
      const out = new Uint8Array(boxBytes(body))
      write(out, 0, cls, raw.length, body, options)
      releaseBody(body, raw)
      return out
    },
    sealInto(out, offset, cls, raw, options) {
      checkClass(cls)
      const body = prepare(raw, options)
      const length = boxBytes(body)
      const fits = offset + length <= out.length
      if (fits) write(out, offset, cls, raw.length, body, options)
      releaseBody(body, raw)
      return fits ? length : -1
    },
  }
}

/** What the built-in transforms gave is nobody else's; a custom one may have kept it. */
function releaseBody({ bytes, ids }: Body, raw: Uint8Array): void {
  if (bytes.buffer !== raw.buffer && ids.every((id) => BUILTIN_IDS.has(id))) release(bytes)
}

type Prepared = Body & { readonly storedBytes: number }

function boxBytes({ ids, storedBytes }: Prepared): number {
  return boxHeaderBytes({ wrapData: NOTHING, transforms: ids }) + storedBytes
}

function chooseEncryption(keyring: Keyring, given: Transform | undefined): Encryption | undefined {
  if (keyring.encrypted) {
    const transform = given ?? aes256gcm()
    return { transform, overhead: encryptionOverhead(transform) }
  }
  if (given === undefined) return undefined
  throw new BackupError('INVALID_OPTIONS', `transforms: '${given.id}' encrypts, but the repository has no key`, {
    origin: 'usage',
    details: { option: 'transforms', transform: given.id },
    hint: 'Give the engine a key, or leave the transform out.',
  })
}

function plain(raw: Uint8Array): Body {
  return { bytes: raw, ids: [] }
}

function applyCompress(transforms: readonly Transform[], raw: Uint8Array): Body {
  let bytes = raw
  for (const transform of transforms) {
    bytes = encodeStep(transform, bytes)
    if (bytes.length > intermediateLimit(raw.length)) return plain(raw)
  }
  if (bytes.length > raw.length * WORTHWHILE) return plain(raw)
  return { bytes, ids: transforms.map(({ id }) => id) }
}

function applyOther(transforms: readonly Transform[], raw: Uint8Array, body: Body): Body {
  const limit = intermediateLimit(raw.length)
  let { bytes } = body
  for (const transform of transforms) {
    bytes = encodeStep(transform, bytes)
    if (bytes.length > limit) throw failed(transform.id, `it gave ${bytes.length} bytes, more than ${limit}`)
  }
  return { bytes, ids: [...body.ids, ...transforms.map(({ id }) => id)] }
}

function pad(body: Body, padBytes: number): Body {
  if (padBytes === 0) return body
  const bytes = new Uint8Array(body.bytes.length + padBytes)
  bytes.set(body.bytes)
  return { ...body, bytes }
}

function encryptInto(
  out: Uint8Array,
  offset: number,
  { transform, overhead }: Encryption,
  key: Uint8Array,
  aad: Uint8Array,
  body: Uint8Array,
): void {
  if (BUILTIN_IDS.has(transform.id)) {
    gcmSealInto(out, offset, key, ZERO_NONCE, aad, body)
    return
  }
  const sealed = encodeStep(transform, body, { key, nonce: ZERO_NONCE.slice(), aad })
  if (sealed.length !== body.length + overhead) {
    throw failed(transform.id, `it added ${sealed.length - body.length} bytes, not ${overhead} as before`)
  }
  out.set(sealed, offset)
}

function checksumInto(out: Uint8Array, offset: number, aad: Uint8Array, body: Uint8Array): void {
  out.set(body, offset)
  out.set(checksum(aad, body), offset + body.length)
}

function checkClass(cls: KeyClass): void {
  if (cls !== 'ids' && cls !== 'chunking') return
  throw new BackupError('INTERNAL', `Nothing is sealed under the class '${cls}'`, { origin: 'repository' })
}

function tooLarge(what: string, bytes: number, max: number): BackupError {
  return new BackupError('LIMIT_EXCEEDED', `The ${what} of a box has ${bytes} bytes; at most ${max} are allowed`, {
    origin: 'repository',
    details: { bytes, max },
  })
}

function tooMany(): BackupError {
  return new BackupError('INVALID_OPTIONS', `transforms: at most ${MAX_BOX_TRANSFORMS}, the encryption included`, {
    origin: 'usage',
    details: { option: 'transforms', max: MAX_BOX_TRANSFORMS },
  })
}
