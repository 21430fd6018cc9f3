import { deriveSegmentKey, equalBytes, open as gcmOpen, ZERO_NONCE } from '../../crypto/aead.ts'
import type { KeyClass, Keyring } from '../../crypto/keyring.ts'
import { BackupError } from '../../errors.ts'
import { type BoxHeader, boxCorrupt, decodeBoxHeader, WRAP } from '../../model/box.ts'
import { BUILTIN_IDS, builtinOf } from '../../transforms/builtin.ts'
import type { TransformRegistry } from '../../transforms/registry.ts'
import type { Transform } from '../../transforms/transform.ts'
import { release } from '../../util/bytes.ts'
import { bindingOf, CHECKSUM_BYTES, checksumHolds, decodeStep, intermediateLimit } from './box-steps.ts'

export interface OpenOptions {
  /** What the box must hold. */
  readonly cls: KeyClass
  /** The object key it was sealed for; must be what the sealer was given. */
  readonly bind?: string
  /** A box that announces more is refused before anything is allocated. */
  readonly maxRawBytes: number
  /** True: the box must end where `bytes` ends. Default false, as in a pack. */
  readonly whole?: boolean
  /** True: nobody needs `bytes` any more, and they may be written over. Default false. */
  readonly inPlace?: boolean
}

export interface Opener {
  /**
   * Opens the box at `offset`. `raw` may be a view of `bytes` or of a larger buffer: copy it before giving it away.
   * @throws BackupError OBJECT_CORRUPT: anything is not as it was sealed; FORMAT_UNSUPPORTED; TRANSFORM_UNKNOWN
   */
  open(bytes: Uint8Array, offset: number, options: OpenOptions): { raw: Uint8Array; boxBytes: number }
}

interface OpenContext {
  readonly keyring: Keyring
  readonly repositoryId: string
  readonly transforms: TransformRegistry
}

/** Opens boxes of every epoch of the keyring. */
export function createOpener(context: OpenContext): Opener {
  const aadOf = bindingOf(context.repositoryId)

  return {
    open(bytes, offset, options) {
      const { header, headerBytes } = decodeBoxHeader(bytes, offset)
      const boxBytes = headerBytes + header.storedBytes
      checkHeader(header, options, context.keyring)
      checkEnd(bytes.length - offset, boxBytes, options)
      const start = offset + headerBytes
      const aad = aadOf(options.bind, bytes.subarray(offset, start))
      const payload = bytes.subarray(start, offset + boxBytes)
      const raw = decode(header, aad, payload, context, options.inPlace)
      if (raw.length !== header.rawBytes)
        throw boxCorrupt('raw length', { expected: header.rawBytes, found: raw.length })
      return { raw, boxBytes }
    },
  }
}

function checkHeader(header: BoxHeader, { cls, maxRawBytes }: OpenOptions, keyring: Keyring): void {
  if (header.cls !== cls) throw boxCorrupt('class', { expected: cls, found: header.cls })
  const encrypted = header.wrapType === WRAP.epoch
  // Whoever has a key must not be made to believe in data that anybody can write.
  if (encrypted !== keyring.encrypted) throw boxCorrupt(encrypted ? 'encrypted' : 'not encrypted')
  if (header.rawBytes > maxRawBytes) throw boxCorrupt('raw length', { bytes: header.rawBytes, max: maxRawBytes })
}

function checkEnd(available: number, boxBytes: number, { whole }: OpenOptions): void {
  if (boxBytes > available) throw boxCorrupt('truncated', { expected: boxBytes, found: available })
  if (whole && boxBytes < available) throw boxCorrupt('trailing bytes', { expected: boxBytes, found: available })
}

/** Authenticates first: only then is a transform that nobody knows a missing plugin, and not damage. */
function decode(
  header: BoxHeader,
  aad: Uint8Array,
  payload: Uint8Array,
  context: OpenContext,
  inPlace = false,
): Uint8Array {
  const encrypted = header.wrapType === WRAP.epoch
  const body = encrypted ? decrypt(header, aad, payload, context, inPlace) : checked(header, aad, payload)
  const ids = encrypted ? header.transforms.slice(0, -1) : header.transforms
  const transforms = ids.map((id) => context.transforms.get(id))
  if (transforms.some(({ kind }) => kind === 'encrypt')) throw boxCorrupt('transforms')
  const unpadded = unpad(body, header.padBytes)
  const raw = corruptIfFailed('transform failed', () => undo(transforms, unpadded, header.rawBytes))
  // What was decrypted is nobody else's: a built-in transform has made something new of it.
  if (encrypted && raw.buffer !== body.buffer && transforms.every(({ id }) => BUILTIN_IDS.has(id))) release(body)
  return raw
}

function decrypt(
  header: BoxHeader,
  aad: Uint8Array,
  payload: Uint8Array,
  { keyring, transforms: registry }: OpenContext,
  inPlace: boolean,
): Uint8Array {
  const keys = deriveSegmentKey(keyring.classKey(header.cls, header.epoch), header.salt)
  if (!equalBytes(keys.commitment, header.commitment)) throw boxCorrupt('key commitment')
  const id = header.transforms.at(-1)
  if (id === undefined) throw boxCorrupt('transforms')
  const transform = registry.get(id)
  if (transform.kind !== 'encrypt') throw boxCorrupt('transforms')
  if (inPlace && builtinOf(transform)) {
    const plain = gcmOpen(keys.key, ZERO_NONCE, aad, payload, true)
    if (plain === undefined) throw boxCorrupt('authentication', { transform: id })
    return plain
  }
  const secrets = { key: keys.key, nonce: ZERO_NONCE.slice(), aad }
  return corruptIfFailed('authentication', () => decodeStep(transform, payload, payload.length, secrets))
}

function checked(header: BoxHeader, aad: Uint8Array, payload: Uint8Array): Uint8Array {
  const end = header.storedBytes - CHECKSUM_BYTES
  if (end < 0) throw boxCorrupt('stored length')
  const body = payload.subarray(0, end)
  if (!checksumHolds(aad, body, payload.subarray(end))) throw boxCorrupt('checksum')
  return body
}

function unpad(body: Uint8Array, padBytes: number): Uint8Array {
  const end = body.length - padBytes
  if (end < 0) throw boxCorrupt('pad length')
  for (let i = end; i < body.length; i++) if (body[i] !== 0) throw boxCorrupt('pad')
  return body.subarray(0, end)
}

function undo(transforms: readonly Transform[], body: Uint8Array, rawBytes: number): Uint8Array {
  let bytes = body
  for (let i = transforms.length - 1; i >= 0; i--) {
    const maxBytes = i === 0 ? rawBytes : intermediateLimit(rawBytes)
    bytes = decodeStep(transforms[i] as Transform, bytes, maxBytes)
  }
  return bytes
}

/** A transform that cannot read what was stored means that the stored data is wrong. */
function corruptIfFailed(reason: string, run: () => Uint8Array): Uint8Array {
  try {
    return run()
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'TRANSFORM_FAILED') throw error
    throw boxCorrupt(reason, { transform: error.details.transform ?? null, failure: error.message }, error)
  }
}
