/**
 * Volumes that take `a` and `A` for one name. A second file or link of such a name is refused by the system itself, since all are
 * made new; a second folder would look as if it were there already, and two would become one without a word.
 */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import { placeError } from './place-errors.ts'
import { nativePath } from './stat.ts'

/** `stat` is that of the folder that was found at `absolute`. @throws BackupError RESTORE_CONFLICT */
export function refuseOtherCase(absolute: string, path: string, stat: BigIntStats): void {
  const slash = absolute.lastIndexOf('/')
  const parent = absolute.slice(0, slash)
  const name = latin1ToUser(absolute.slice(slash + 1))
  const twin = otherCase(name)
  if (twin === undefined || !isSame(`${parent}/${userToLatin1(twin)}`, stat)) return
  const names = readdirSync(nativePath(parent || '/'), 'latin1' as BufferEncoding) as string[]
  if (names.some((each) => isName(latin1ToUser(each), name))) return
  throw placeError(
    'RESTORE_CONFLICT',
    path,
    'this file system does not tell it from a folder whose name differs in case only',
    'EEXIST',
  )
}

/** Undefined where there is no such name. */
export function otherCase(name: string): string | undefined {
  return [name.toUpperCase(), name.toLowerCase()].find((each) => each !== name)
}

/** Some file systems keep the letters of a name in another form. */
export function isName(found: string, name: string): boolean {
  return found === name || found.normalize('NFC') === name.normalize('NFC')
}

function isSame(absolute: string, { dev, ino }: BigIntStats): boolean {
  const found = lstatSync(nativePath(absolute), { bigint: true, throwIfNoEntry: false })
  return found !== undefined && found.dev === dev && found.ino === ino
}
