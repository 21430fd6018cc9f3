/** The bytes of an encrypted ZIP, opened chunk by chunk where they are read: nothing of it is ever written in the clear. */
import {
  AGE_CHUNK_BYTES,
  AGE_MAX_HEAD_BYTES,
  AGE_SEALED_BYTES,
  AgeOpener,
  ageAltered,
  ageTruncated,
  isAge,
} from '../../crypto/age.ts'
import { BackupError } from '../../errors.ts'
import { type Key, secretOf } from '../../repository/key-slots-key.ts'
import type { ByteOrigin } from './archive-in.ts'
import { zipError } from './zip-errors.ts'

const TAG_BYTES = AGE_SEALED_BYTES - AGE_CHUNK_BYTES
const ARMOR = '-----BEGIN AGE ENCRYPTED FILE-----'

/** @throws BackupError KEY_MISSING, KEY_WRONG, ZIP_ENCRYPTED, ZIP_TRUNCATED, ZIP_ALTERED, INVALID_OPTIONS */
export async function openAge(origin: ByteOrigin, key: Key | undefined): Promise<ByteOrigin> {
  const head = await origin.read(0, Math.min(AGE_MAX_HEAD_BYTES, origin.size))
  if (Buffer.from(head.subarray(0, ARMOR.length)).toString('latin1') === ARMOR) throw armored()
  if (!isAge(head)) {
    if (key) throw notEncrypted()
    return origin
  }
  if (!key) throw keyMissing()
  const opener = await AgeOpener.create(head, secretFor(key).passphrase)
  const sealedBytes = origin.size - opener.start
  const chunks = Math.max(1, Math.ceil(sealedBytes / AGE_SEALED_BYTES))
  const size = sealedBytes - chunks * TAG_BYTES
  if (size < 0) throw ageTruncated('it ends in the middle of a chunk')
  const read = (start: number, end: number): Promise<Uint8Array> => readRange(origin, opener, chunks, start, end)
  // The last chunk says that it is the last: so what is cut off is known before anything is read.
  await readChunks(origin, opener, chunks, chunks - 1, chunks)
  return { size, blockBytes: origin.blockBytes, read, close: () => origin.close() }
}

export interface AgeSecret {
  readonly passphrase: string
  /** Of scrypt's cost; absent: the usual. */
  readonly logN?: number
}

/** For the thread that encrypts. @throws BackupError INVALID_OPTIONS */
export function secretFor(key: Key): AgeSecret {
  const secret = secretOf(key)
  if (secret.kind === 'passphrase') {
    return { passphrase: secret.text, ...(secret.kdf && { logN: Math.log2(secret.kdf.N) }) }
  }
  throw new BackupError('INVALID_OPTIONS', 'A ZIP is encrypted with a passphrase: give passphrase().', {
    origin: 'usage',
    details: { kind: secret.kind },
  })
}

/** Blocks are whole chunks, so no chunk is opened twice. */
async function readRange(
  origin: ByteOrigin,
  opener: AgeOpener,
  chunks: number,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const first = Math.floor(start / AGE_CHUNK_BYTES)
  const plain = await readChunks(origin, opener, chunks, first, Math.ceil(end / AGE_CHUNK_BYTES))
  const from = start - first * AGE_CHUNK_BYTES
  return plain.subarray(from, from + end - start)
}

async function readChunks(
  origin: ByteOrigin,
  opener: AgeOpener,
  chunks: number,
  first: number,
  end: number,
): Promise<Uint8Array> {
  const at = (number: number): number => Math.min(opener.start + number * AGE_SEALED_BYTES, origin.size)
  const sealed = await origin.read(at(first), at(end))
  const out: Uint8Array[] = []
  for (let number = first; number < end; number++) {
    const chunk = sealed.subarray(at(number) - at(first), at(number + 1) - at(first))
    out.push(openChunk(opener, number, chunk, number === chunks - 1))
  }
  return Buffer.concat(out)
}

function openChunk(opener: AgeOpener, number: number, chunk: Uint8Array, isLast: boolean): Uint8Array {
  const plain = opener.open(number, chunk, isLast)
  if (plain) return plain
  if (!isLast) throw ageAltered(`what lies at byte ${number * AGE_CHUNK_BYTES}`)
  if (opener.open(number, chunk, false)) throw ageTruncated('more should follow')
  throw ageTruncated('it ends in the middle of a chunk, or its last 64 KiB were altered')
}

function armored(): BackupError {
  return zipError('ZIP_ENCRYPTED', 'armor', 'it is an age file as text', { hint: 'Give it without the armor of text.' })
}

function keyMissing(): BackupError {
  return new BackupError('KEY_MISSING', 'The ZIP is encrypted: its passphrase is needed.', {
    origin: 'usage',
    hint: 'Give it as key: passphrase(…).',
  })
}

/** Whoever expects encryption expects that nobody else has made the file. */
function notEncrypted(): BackupError {
  return new BackupError('INVALID_OPTIONS', 'importZip: a key was given, but the ZIP is not encrypted.', {
    origin: 'usage',
    details: { option: 'key' },
    hint: 'Leave the key out if you trust the file.',
  })
}
