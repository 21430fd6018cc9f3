import { BackupError } from '../../errors.ts'
import { slotKey } from '../keys-layout.ts'

export function notEncryptedKeys(): BackupError {
  return new BackupError('UNSUPPORTED', 'the repository is not encrypted: it has no keys', {
    origin: 'usage',
    hint: 'Make an encrypted repository, and copy the snapshots into it with copySnapshots().',
  })
}

export function unknownKey(slot: string): BackupError {
  return new BackupError('KEY_NOT_FOUND', `the repository has no key slot ${slot.slice(0, 64)}`, {
    origin: 'usage',
    details: { slot: slot.slice(0, 64) },
    hint: 'keys.list() gives the ids of those there are; another one may have removed it.',
  })
}

export function lastKey(slot: string): BackupError {
  return new BackupError(
    'KEY_LAST',
    'no other sound key would be left, and the repository could never be opened again',
    {
      origin: 'usage',
      details: { slot },
      hint: 'Add another key first, or exchange this one with keys.change().',
    },
  )
}

export function slotBroken(slot: string): BackupError {
  return new BackupError('KEY_SLOT_CORRUPT', `nothing can be sealed to the key slot ${slot}`, {
    origin: 'repository',
    details: { key: slotKey(slot) },
    hint: 'Remove it, or exchange it with keys.change(); then rotate.',
  })
}

export function tooManyKeys(what: string, max: number): BackupError {
  return new BackupError('LIMIT_EXCEEDED', `a repository has at most ${max} ${what}`, {
    origin: 'usage',
    details: { max },
  })
}
