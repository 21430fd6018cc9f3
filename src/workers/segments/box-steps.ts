import { equalBytes, sha256Of, TAG_BYTES } from '../../crypto/aead.ts'
import { BackupError } from '../../errors.ts'
import { BUILTIN_IDS } from '../../transforms/builtin.ts'
import { incompatible } from '../../transforms/chain.ts'
import type { Transform, TransformContext } from '../../transforms/transform.ts'
import { failed } from '../../transforms/zlib.ts'

export const CHECKSUM_BYTES = 32
const NO_CONTEXT: TransformContext = {}
const text = new TextEncoder()

/**
 * What a box is bound to: repository, object key (records only) and its own header. Lengths come first, so that no two
 * bindings read alike.
 */
export function bindingOf(repositoryId: string): (bind: string | undefined, header: Uint8Array) => Uint8Array {
  const id = text.encode(repositoryId)
  return (bind, header) => {
    const key = bind === undefined ? undefined : text.encode(bind)
    const aad = new Uint8Array(4 + id.length + 4 + (key?.length ?? 0) + header.length)
    const view = new DataView(aad.buffer)
    view.setUint32(0, id.length, true)
    aad.set(id, 4)
    view.setUint32(4 + id.length, key === undefined ? 0xffffffff : key.length, true)
    if (key !== undefined) aad.set(key, 8 + id.length)
    aad.set(header, aad.length - header.length)
    return aad
  }
}

/** SHA-256 that stands where an encrypted box has its tag. */
export function checksum(aad: Uint8Array, body: Uint8Array): Uint8Array {
  return sha256Of(aad, body)
}

export function checksumHolds(aad: Uint8Array, body: Uint8Array, stored: Uint8Array): boolean {
  return equalBytes(checksum(aad, body), stored)
}

/**
 * How large the data may get between two transforms. Writer and reader hold to it, so that damaged or hostile data
 * cannot expand without bound on the way to its announced length.
 */
export function intermediateLimit(rawBytes: number): number {
  return 2 * rawBytes + 64 * 1024
}

/** Runs one transform forward. @throws BackupError TRANSFORM_FAILED, whatever it threw */
export function encodeStep(transform: Transform, segment: Uint8Array, context = NO_CONTEXT): Uint8Array {
  return guard(transform, () => transform.encode(segment, context))
}

/** Runs one transform backward, at most to `maxBytes`. @throws BackupError TRANSFORM_FAILED, whatever it threw */
export function decodeStep(
  transform: Transform,
  segment: Uint8Array,
  maxBytes: number,
  context = NO_CONTEXT,
): Uint8Array {
  const raw = guard(transform, () => transform.decode(segment, { ...context, maxBytes }))
  if (raw.length > maxBytes)
    throw failed(transform.id, `gave ${raw.length} bytes where at most ${maxBytes} are allowed`)
  return raw
}

/**
 * How many bytes an encrypt transform adds. It must be the same for every input: the header, which is authenticated,
 * says the stored length before anything is encrypted.
 */
export function encryptionOverhead(transform: Transform): number {
  if (BUILTIN_IDS.has(transform.id)) return TAG_BYTES
  const overheads = [1, 1000].map((length) => {
    const context = { key: new Uint8Array(32), nonce: new Uint8Array(12), aad: new Uint8Array(1) }
    return encodeStep(transform, new Uint8Array(length), context).length - length
  })
  const [overhead = 0] = overheads
  if (overheads.every((each) => each === overhead) && overhead >= 0 && overhead <= 1024) return overhead
  throw incompatible(
    transform.id,
    'a transform that encrypts must add the same number of bytes (0 to 1024) to every input',
  )
}

function guard(transform: Transform, run: () => Uint8Array): Uint8Array {
  try {
    const result: unknown = run()
    if (result instanceof Uint8Array) return result
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TRANSFORM_FAILED') throw error
    throw failed(transform.id, error instanceof Error ? error.message : String(error), error)
  }
  throw failed(transform.id, 'it gave no Uint8Array')
}
