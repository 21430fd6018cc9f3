/** A pack's own directory, from its last bytes: all that the index needs of it. */
import { BackupError } from '../errors.ts'
import type { PackFacts } from '../model/fragment.ts'
import { decodeDirectory, findDirectory, MAX_DIRECTORY_BYTES } from '../model/pack.ts'
import { MalformedBytes } from '../util/bytes.ts'
import type { Vault } from './vault.ts'

export interface DirectoryJob {
  /** 32 bytes. */
  name: Uint8Array
  packBytes: number
  /** The end of the pack. */
  tail: Uint8Array
}

/** `before`: that many bytes before the tail are needed too. Null: there is no directory that can be read. */
export type DirectoryAnswer = PackFacts | { before: number } | null

export function readDirectory(vault: Vault, { name, packBytes, tail }: DirectoryJob): DirectoryAnswer {
  try {
    const { offset } = findDirectory(tail, packBytes)
    const at = offset - (packBytes - tail.length)
    if (at < 0) return { before: -at }
    const { raw } = vault.opener.open(tail, at, { cls: 'index', maxRawBytes: MAX_DIRECTORY_BYTES })
    const { segments } = decodeDirectory(raw)
    if (segments.some((segment) => segment.offset + segment.storedBytes > offset)) return null
    return { name: new Uint8Array(name), packBytes, directory: new Uint8Array(raw) }
  } catch (error) {
    if (error instanceof MalformedBytes || (BackupError.is(error) && error.code === 'OBJECT_CORRUPT')) return null
    throw error
  }
}
