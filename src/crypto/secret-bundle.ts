import { BackupError } from '../errors.ts'

export const SECRET_BYTES = 32
const MAGIC = [0x48, 0x46, 0x4b, 0x42] as const // HFKB
const VERSION = 1
const HEAD_BYTES = 4 + 1 + SECRET_BYTES + 2
const EPOCH_BYTES = 4 + SECRET_BYTES
export const MAX_EPOCHS = 1024

/** All secrets of a repository: what a key slot wraps. */
export interface SecretBundle {
  /** Ids and chunking keys come from it. It never rotates, else nothing would deduplicate any more. */
  readonly root: Uint8Array
  /** One secret per epoch, ascending; new data uses the last. */
  readonly epochs: readonly { readonly n: number; readonly secret: Uint8Array }[]
}

/** The bundle as bytes, to be wrapped in a key slot. */
export function encodeSecretBundle({ root, epochs }: SecretBundle): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_BYTES + epochs.length * EPOCH_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setUint8(4, VERSION)
  bytes.set(root, 5)
  view.setUint16(5 + SECRET_BYTES, epochs.length, true)
  epochs.forEach(({ n, secret }, i) => {
    view.setUint32(HEAD_BYTES + i * EPOCH_BYTES, n, true)
    bytes.set(secret, HEAD_BYTES + i * EPOCH_BYTES + 4)
  })
  return bytes
}

/** Reads what `encodeSecretBundle` wrote. @throws BackupError KEY_SLOT_CORRUPT, FORMAT_UNSUPPORTED (newer version) */
export function decodeSecretBundle(bytes: Uint8Array): SecretBundle {
  if (bytes.length < HEAD_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) throw corrupt('magic')
  if (bytes[4] !== VERSION) throw unsupported(bytes[4] ?? 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint16(5 + SECRET_BYTES, true)
  if (count < 1 || count > MAX_EPOCHS) throw corrupt('epoch count')
  if (bytes.length !== HEAD_BYTES + count * EPOCH_BYTES) throw corrupt('length')
  const epochs = Array.from({ length: count }, (_, i) => {
    const at = HEAD_BYTES + i * EPOCH_BYTES
    return { n: view.getUint32(at, true), secret: copy(bytes, at + 4) }
  })
  if (epochs.some(({ n }, i) => i > 0 && n <= (epochs[i - 1]?.n ?? 0))) throw corrupt('epoch order')
  return { root: copy(bytes, 5), epochs }
}

/** Not by slice(), which on a Buffer shares the memory. */
function copy(bytes: Uint8Array, at: number): Uint8Array {
  return new Uint8Array(bytes.subarray(at, at + SECRET_BYTES))
}

function corrupt(reason: string): BackupError {
  return new BackupError('KEY_SLOT_CORRUPT', 'The keys inside the key slot cannot be read', {
    origin: 'repository',
    details: { reason },
  })
}

function unsupported(version: number): BackupError {
  return new BackupError('FORMAT_UNSUPPORTED', `Keys of version ${version} need a newer release`, {
    origin: 'repository',
    details: { version, supported: VERSION },
  })
}
