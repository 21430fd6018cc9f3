/** Names in a ZIP: bytes, and latin1 strings of them. */
import { isUtf8 as isUtf8Bytes } from 'node:buffer'
import { BackupError } from '../../errors.ts'
import { latin1ToUser } from '../../util/paths.ts'

export function isUtf8(name: Uint8Array): boolean {
  return isUtf8Bytes(name)
}

export function nameTooLong(latin1: string): BackupError {
  const path = latin1ToUser(latin1.slice(0, 200))
  return new BackupError('LIMIT_EXCEEDED', `The path ${JSON.stringify(path)}… is longer than a ZIP can hold.`, {
    origin: 'usage',
    details: { bytes: latin1.length, limit: 0xffff },
    hint: 'Leave it out with select.exclude.',
  })
}
