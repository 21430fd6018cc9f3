/**
 * Files of age (https://age-encryption.org/v1) for a passphrase: what is written here, the `age` program opens, and the other
 * way round. A header with the file's key, then chunks of 64 KiB, each sealed on its own, so that any of them can be read.
 */
import { createCipheriv, createDecipheriv, createHmac, scrypt } from 'node:crypto'
import { BackupError, type ErrorCode, type Json } from '../errors.ts'
import { equalBytes, NONCE_BYTES, TAG_BYTES, ZERO_NONCE } from './aead.ts'
import { derive } from './derive.ts'
import { randomBytes } from './random.ts'

export const AGE_CHUNK_BYTES = 64 * 1024
export const AGE_SEALED_BYTES = AGE_CHUNK_BYTES + TAG_BYTES
/** A header for a passphrase takes 150; those of many recipients take more. */
export const AGE_MAX_HEAD_BYTES = 16 * 1024
/** 2^17: 128 MiB and half a second, as for the key of a repository. `age` itself takes 2^18, which is 256 MiB. */
export const AGE_DEFAULT_LOG_N = 17

const CIPHER = 'chacha20-poly1305'
const VERSION = 'age-encryption.org/v1'
const SALT_LABEL = `${VERSION}/scrypt`
const SALT_BYTES = 16
const FILE_KEY_BYTES = 16
const PAYLOAD_NONCE_BYTES = 16
/** 1 GiB: more would let a file exhaust the machine. */
const MAX_LOG_N = 20
const HEADER = /^age-encryption\.org\/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n---/

/** Whether the bytes begin as a file of age does. */
export function isAge(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, VERSION.length)).toString('latin1') === VERSION
}

export class AgeSealer {
  /** What the file begins with. */
  readonly head: Uint8Array
  private readonly key: Uint8Array
  private count = 0

  private constructor(head: Uint8Array, key: Uint8Array) {
    this.head = head
    this.key = key
  }

  static async create(passphrase: string, logN = AGE_DEFAULT_LOG_N): Promise<AgeSealer> {
    const [fileKey, salt] = [randomBytes(FILE_KEY_BYTES), randomBytes(SALT_BYTES)]
    const wrapped = sealed(await passphraseKey(passphrase, salt, logN), ZERO_NONCE, fileKey)
    const text = `${VERSION}\n-> scrypt ${base64(salt)} ${logN}\n${base64(wrapped)}\n---`
    const nonce = randomBytes(PAYLOAD_NONCE_BYTES)
    const head = Buffer.concat([Buffer.from(`${text} ${base64(headerMac(fileKey, text))}\n`), nonce])
    return new AgeSealer(head, derive(fileKey, 'payload', 32, nonce))
  }

  /** `plain`: 64 KiB, but for the last; that one has at least a byte, unless the file is empty. */
  seal(plain: Uint8Array, isLast: boolean): Uint8Array {
    return sealed(this.key, chunkNonce(this.count++, isLast), plain)
  }
}

export class AgeOpener {
  /** Where the first chunk begins. */
  readonly start: number
  private readonly key: Uint8Array

  private constructor(start: number, key: Uint8Array) {
    this.start = start
    this.key = key
  }

  /**
   * `head`: the first bytes of the file, AGE_MAX_HEAD_BYTES or all there are.
   * @throws BackupError KEY_WRONG, ZIP_ENCRYPTED (not for a passphrase, or at too high a cost), ZIP_TRUNCATED, ZIP_ALTERED
   */
  static async create(head: Uint8Array, passphrase: string): Promise<AgeOpener> {
    const text = Buffer.from(head).toString('latin1')
    const [whole = '', salt = '', cost = '', wrapped = ''] = HEADER.exec(text) ?? []
    if (whole === '') throw unknownHeader(text)
    if (Number(cost) > MAX_LOG_N) throw failure('ZIP_ENCRYPTED', 'cost', `its scrypt cost is 2^${cost}`)
    const key = await passphraseKey(passphrase, Buffer.from(salt, 'base64'), Number(cost))
    const fileKey = opened(key, ZERO_NONCE, Buffer.from(wrapped, 'base64'))
    if (!fileKey) throw failure('KEY_WRONG', 'passphrase', 'the passphrase is another one')
    const [line = '', mac = ''] = /^ ([A-Za-z0-9+/]{43})\n/.exec(text.slice(whole.length)) ?? []
    const start = whole.length + line.length + PAYLOAD_NONCE_BYTES
    if (head.length < Math.min(start, whole.length + 61)) throw ageTruncated('its header is cut short')
    if (!equalBytes(Buffer.from(mac, 'base64'), headerMac(fileKey, whole))) throw ageAltered('its header')
    const nonce = head.subarray(start - PAYLOAD_NONCE_BYTES, start)
    return new AgeOpener(start, derive(fileKey, 'payload', 32, nonce))
  }

  /** Undefined: it is not what was sealed at this place. */
  open(number: number, chunk: Uint8Array, isLast: boolean): Uint8Array | undefined {
    return opened(this.key, chunkNonce(number, isLast), chunk)
  }
}

export function ageTruncated(what: string): BackupError {
  return failure('ZIP_TRUNCATED', 'truncated', what)
}

export function ageAltered(what: string): BackupError {
  return failure('ZIP_ALTERED', 'altered', `${what} is not what was written`)
}

function failure(code: ErrorCode, reason: string, what: string): BackupError {
  const details: Record<string, Json> = { reason }
  return new BackupError(code, `The encrypted ZIP cannot be opened: ${what}.`, { origin: 'source', details })
}

function unknownHeader(text: string): BackupError {
  const [, stanza] = text.split('\n')
  if (stanza === undefined || (stanza.startsWith('-> scrypt ') && !text.includes('\n---'))) {
    return ageTruncated('its header is cut short')
  }
  if (stanza.startsWith('-> scrypt ')) return ageAltered('its header')
  return failure('ZIP_ENCRYPTED', 'recipient', 'it is not encrypted with a passphrase; `age -d` with its key opens it')
}

function passphraseKey(passphrase: string, salt: Uint8Array, logN: number): Promise<Buffer> {
  const [N, r] = [2 ** logN, 8]
  const full = Buffer.concat([Buffer.from(SALT_LABEL), salt])
  return new Promise((resolve, reject) => {
    scrypt(passphrase, full, 32, { N, r, p: 1, maxmem: 128 * r * (N + 3) + 2 ** 20 }, (error, key) => {
      if (error) reject(error)
      else resolve(key)
    })
  })
}

function headerMac(fileKey: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', derive(fileKey, 'header', 32))
    .update(text, 'latin1')
    .digest()
}

function chunkNonce(number: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES)
  const view = new DataView(nonce.buffer)
  view.setBigUint64(3, BigInt(number))
  nonce[11] = isLast ? 1 : 0
  return nonce
}

function sealed(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  const body = cipher.update(plain)
  cipher.final()
  return Buffer.concat([body, cipher.getAuthTag()])
}

function opened(key: Uint8Array, nonce: Uint8Array, chunk: Uint8Array): Buffer | undefined {
  const end = chunk.length - TAG_BYTES
  if (end < 0) return undefined
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(chunk.subarray(end))
  const plain = decipher.update(chunk.subarray(0, end))
  try {
    decipher.final()
    return plain
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
