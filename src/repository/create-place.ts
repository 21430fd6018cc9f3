/** What lies where a repository is looked for and no config was found: nothing, a creation that was cut short, or others' files. */
import { BackupError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import { readSlots } from './key-slots-open.ts'
import { configKey, parseKey } from './keys-layout.ts'

/** Enough to tell what a place holds. */
const MAX_LOOKED_AT = 1000
/** Objects by which other programs' repositories are recognised. */
const OTHERS: readonly (readonly [program: string, mark: RegExp])[] = [
  ['kopia', /^kopia\.(repository|blobcfg)/],
  ['restic', /^(config$|locks\/|data\/[0-9a-f]{2}\/)/],
  ['borg', /^(README$|hints\.[0-9]+$|integrity\.[0-9]+$|data\/[0-9]+\/)/],
]

/**
 * True if a repository may be created here: the place is empty, or holds only key slots, which is what a creation
 * leaves that was interrupted before its commit. False if one has been created since. REPOSITORY_FOREIGN where other
 * files lie; OBJECT_MISSING where a repository lies whose config is gone.
 */
export async function isCreatable(target: Target, signal?: AbortSignal): Promise<boolean> {
  const keys = await someKeys(target, signal)
  const others = keys.filter((key) => parseKey(key)?.area !== 'keys')
  const slots = await readSlots(
    target,
    keys.filter((key) => parseKey(key)?.area === 'keys'),
    signal,
  )
  const sound = slots.filter((each) => 'slot' in each)
  if (others.length === 0 && sound.length === slots.length) return true
  if ((await target.stat(configKey(1), { signal })) !== undefined) return false
  throw sound.length > 0 || others.some(isOurs) ? configGone() : foreign(target, keys)
}

export function notFound(target: Target): BackupError {
  return new BackupError('REPOSITORY_NOT_FOUND', `there is no repository in ${target.name}`, {
    origin: 'repository',
    details: { target: target.name },
    hint: "Check the place, or let one be created with create: 'if-empty'.",
  })
}

async function someKeys(target: Target, signal: AbortSignal | undefined): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list('', { signal })) {
    keys.push(key)
    if (keys.length >= MAX_LOOKED_AT) break
  }
  return keys
}

/** Packs have names that nobody else gives. */
function isOurs(key: string): boolean {
  return parseKey(key)?.area === 'packs'
}

export function configGone(): BackupError {
  const key = configKey(1)
  return new BackupError('OBJECT_MISSING', `a repository lies here whose ${key} is gone`, {
    origin: 'repository',
    details: { key },
    hint: 'Restore the objects below config/ from a copy of the repository.',
  })
}

function foreign(target: Target, keys: readonly string[]): BackupError {
  const program = OTHERS.find(([, mark]) => keys.some((key) => mark.test(key)))?.[0]
  const what = program === undefined ? 'other files' : `a repository of ${program}`
  return new BackupError('REPOSITORY_FOREIGN', `${target.name} holds ${what}, and no repository of holdfast`, {
    origin: 'repository',
    details: { target: target.name, found: keys.slice(0, 5) },
    hint: 'Choose an empty folder or prefix. Nothing was changed.',
  })
}
