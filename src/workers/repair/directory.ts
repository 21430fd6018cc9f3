/** A pack's own directory, from its last bytes: all that the index needs of it. */
import { BackupError } from '../../errors.ts'
import type { PackFacts } from '../../model/fragment.ts'
import { decodeDirectory, findDirectory, MAX_DIRECTORY_BYTES } from '../../model/pack.ts'
import { MalformedBytes } from '../../util/bytes.ts'
import type { Vault } from '../segments/vault.ts'

export interface DirectoryJob {
  /** 32 bytes. */
  name: Uint8Array
  packBytes: number
  /** The end of the pack. */
  tail: Uint8Array
}

/** `before`: that many bytes before the tail are needed too. Null: there is no directory that can be read. */
export type DirectoryAnswer = PackFacts | { before: number } | null

export function readDirectory(vault: Vault, job: DirectoryJob): DirectoryAnswer {
  const { packBytes, tail } = job
  try {
    const { offset } = findDirectory(tail, packBytes)
    const at = offset - (packBytes - tail.length)
    if (at < 0) return { before: -at }
    const found = openAt(vault, job, at)
    if (found) return found
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
  }
  return search(vault, job)
}

/** Without a footer that says where: the last box that opens as a directory. */
function search(vault: Vault, job: DirectoryJob): DirectoryAnswer {
  const { packBytes, tail } = job
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length)
  for (let at = bytes.lastIndexOf(BOX_MAGIC); at >= 0; at = at > 0 ? bytes.lastIndexOf(BOX_MAGIC, at - 1) : -1) {
    const found = openAt(vault, job, at)
    if (found) return found
  }
  return tail.length < packBytes ? { before: packBytes - tail.length } : null
}

const BOX_MAGIC = 'HFBX'

function openAt(vault: Vault, { name, packBytes, tail }: DirectoryJob, at: number): PackFacts | undefined {
  try {
    const { raw } = vault.opener.open(tail, at, { cls: 'index', maxRawBytes: MAX_DIRECTORY_BYTES })
    const { segments } = decodeDirectory(raw)
    const offset = packBytes - tail.length + at
    if (segments.some((segment) => segment.offset + segment.storedBytes > offset)) return undefined
    return { name: new Uint8Array(name), packBytes, directory: new Uint8Array(raw) }
  } catch (error) {
    if (error instanceof MalformedBytes || (BackupError.is(error) && error.origin === 'repository')) return undefined
    throw error
  }
}
