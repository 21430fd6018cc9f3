import { scrypt } from 'node:crypto'
import { BackupError } from '../errors.ts'

/** Cost of turning a passphrase into a key. Memory is 128 · N · r bytes. */
export interface KdfParameters {
  readonly N: number
  readonly r: number
  readonly p: number
}

/** 128 MiB and about half a second. */
export const DEFAULT_KDF: KdfParameters = { N: 2 ** 17, r: 8, p: 1 }

const MIN_N = 2 ** 15
const MAX_N = 2 ** 20
const MAX_R = 32
const MAX_P = 16
const MAX_MEMORY_BYTES = 2 ** 30

/**
 * scrypt on node's thread pool. The passphrase is normalised (NFKC), so that it opens the repository whatever keyboard
 * or system it is typed on.
 * @throws BackupError KEY_SLOT_CORRUPT: parameters out of bounds, checked before anything is allocated
 */
export function derivePassphraseKey(
  passphrase: string,
  salt: Uint8Array,
  parameters: KdfParameters = DEFAULT_KDF,
  keyBytes = 32,
): Promise<Uint8Array<ArrayBuffer>> {
  checkKdfParameters(parameters)
  const { N, r, p } = parameters
  const maxmem = memoryBytes(parameters) + 2 ** 20
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), salt, keyBytes, { N, r, p, maxmem }, (error, key) => {
      if (error) reject(error)
      else resolve(new Uint8Array(key))
    })
  })
}

/** @throws BackupError KEY_SLOT_CORRUPT: too weak to be ours, or so costly that opening would exhaust the machine */
export function checkKdfParameters(parameters: KdfParameters): void {
  const { N, r, p } = parameters
  const sound =
    inRange(N, MIN_N, MAX_N) &&
    Number.isInteger(Math.log2(N)) &&
    inRange(r, 1, MAX_R) &&
    inRange(p, 1, MAX_P) &&
    128 * N * r <= MAX_MEMORY_BYTES
  if (sound) return
  throw new BackupError('KEY_SLOT_CORRUPT', `scrypt parameters out of bounds: N ${N}, r ${r}, p ${p}`, {
    origin: 'repository',
    details: { reason: 'kdf', N, r, p },
  })
}

function memoryBytes({ N, r, p }: KdfParameters): number {
  return 128 * r * (N + p + 2)
}

function inRange(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
