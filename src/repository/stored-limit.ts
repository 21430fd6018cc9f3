/** A backup that would store more than its caller allows. */
import { BackupError } from '../errors.ts'

export function storedTooMuch(maxStoredBytes: number): BackupError {
  return new BackupError('LIMIT_EXCEEDED', `This backup would store more than maxStoredBytes (${maxStoredBytes}).`, {
    origin: 'usage',
    details: { maxStoredBytes },
    hint: 'Nothing was committed. Exclude what is not needed, or raise the limit.',
  })
}
