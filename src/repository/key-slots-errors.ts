/** What is said when no slot opens. */
import { BackupError } from '../errors.ts'
import type { Secret } from './key-slots-key.ts'

const COPY_HINT = 'Open the repository with another key, or restore the object from a copy of the repository.'

export function damagedSlot(key: string, why: string, cause?: unknown): BackupError {
  return new BackupError('KEY_SLOT_CORRUPT', `the key slot ${key} is damaged: ${why}`, {
    origin: 'repository',
    details: { key },
    hint: COPY_HINT,
    cause,
  })
}

/** Sound in itself, and not what stands at this place by the config: another slot was copied there. */
export function exchangedSlot(key: string): BackupError {
  return damagedSlot(key, 'it is not the one that the config names')
}

export function noSlots(repositoryId: string): BackupError {
  return new BackupError('OBJECT_MISSING', 'the repository is encrypted and has no key slot', {
    origin: 'repository',
    details: { prefix: 'keys/', repositoryId },
    hint: 'Restore the objects below keys/ from a copy of the repository; without them nothing can be read.',
  })
}

export function wrongKey(secret: Secret, kinds: readonly string[]): BackupError {
  const what = { raw: 'raw key', passphrase: 'passphrase', provider: 'key provider' }[secret.kind]
  if (!kinds.includes(secret.kind)) {
    return keyWrong(`the repository opens with a key of kind ${kinds.join(', ')}, not with a ${what}`)
  }
  return keyWrong(`this ${what} does not open the repository`)
}

/** The slot opens, but its holder has no part in the repository any more, or not yet. */
export function takenAway(slot: string, why: string): BackupError {
  return new BackupError('KEY_WRONG', `this key opens the repository no longer: ${why}`, {
    origin: 'usage',
    details: { slot, reason: 'taken-away' },
    hint: 'Open it with another key, and add this one again if it is to open the repository.',
  })
}

export function notEncrypted(): BackupError {
  return new BackupError('KEY_WRONG', 'a key was given, and the repository is not encrypted', {
    origin: 'usage',
    details: { encrypted: false },
    hint: "If it is meant to be unencrypted, open it with key: 'none'; otherwise somebody has replaced it.",
  })
}

export function keyNeeded(): BackupError {
  return new BackupError('KEY_MISSING', "the repository is encrypted, and it was opened with key: 'none'", {
    origin: 'usage',
    hint: 'Give its key: passphrase(), rawKey() or keyProvider().',
  })
}

function keyWrong(message: string): BackupError {
  return new BackupError('KEY_WRONG', message, {
    origin: 'usage',
    hint: 'Check the passphrase (blanks and line feeds at its end count) and that this is the repository you mean.',
  })
}
