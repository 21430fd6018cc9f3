/** Owner, mode and times, set in this order: changing the owner clears setuid, and any change would touch the times. */
import { chmodSync, chownSync, fchmodSync, fchownSync, fstatSync, lchownSync } from 'node:fs'
import type { Warning } from '../../events.ts'
import type { EntryMeta } from '../../model/entry.ts'
import { setLinkTimes, setOpenTimes, setTimes } from './file-times.ts'
import { nativePath, systemCode } from './stat.ts'

const SET_ID_BITS = 0o6000
const PERMISSIONS = 0o7777

export class FactSetter {
  private readonly owner: boolean
  private readonly uid = process.geteuid?.()
  private readonly gid = process.getegid?.()
  private notOwned = 0

  constructor(owner: boolean) {
    this.owner = owner
  }

  /** To make a file with, where nobody else can reach it: often its final mode, and if not, `onOpenFile` sees it. */
  firstMode({ mode = 0o600 }: EntryMeta): number {
    return mode & 0o777
  }

  /** A look at the file costs less than setting what mostly is so already (owner, and the mode it was made with). */
  onOpenFile(fd: number, meta: EntryMeta): void {
    const now = fstatSync(fd)
    const owned =
      (meta.uid === now.uid && meta.gid === now.gid) || this.own(meta, (uid, gid) => fchownSync(fd, uid, gid))
    if (meta.mode !== undefined) {
      const mode = this.modeOf(meta, owned)
      if ((now.mode & PERMISSIONS) !== mode) fchmodSync(fd, mode)
    }
    if (meta.mtimeNs !== undefined) setOpenTimes(fd, meta.mtimeNs)
  }

  /** A folder, FIFO or device: never a link. */
  onPath(absolute: string, meta: EntryMeta, isDirectory: boolean): void {
    const path = nativePath(absolute)
    const owned = this.own(meta, (uid, gid) => chownSync(path, uid, gid))
    if (meta.mode !== undefined) chmodSync(path, isDirectory ? meta.mode : this.modeOf(meta, owned))
    if (meta.mtimeNs !== undefined) setTimes(path, meta.mtimeNs)
  }

  onLink(absolute: string, meta: EntryMeta): void {
    const path = nativePath(absolute)
    this.own(meta, (uid, gid) => lchownSync(path, uid, gid))
    if (meta.mtimeNs !== undefined) setLinkTimes(path, meta.mtimeNs)
  }

  /** False where the owner is not the recorded one. */
  private own({ uid, gid }: EntryMeta, change: (uid: number, gid: number) => void): boolean {
    if (uid === undefined || gid === undefined) return false
    if (!this.owner) return uid === this.uid && gid === this.gid
    try {
      change(uid, gid)
      return true
    } catch (error) {
      // EINVAL: an owner that this user namespace does not have.
      if (!['EPERM', 'EINVAL', 'ENOSYS', 'ENOTSUP'].includes(systemCode(error))) throw error
      this.notOwned++
      return false
    }
  }

  /** A program that runs as its owner must not run as another one than it was saved with. */
  private modeOf({ mode = 0o600 }: EntryMeta, owned: boolean): number {
    return owned ? mode : mode & ~SET_ID_BITS
  }

  /** One warning for all that kept another owner; none if there are none. */
  takeWarning(): Warning | null {
    const count = this.notOwned
    if (count === 0) return null
    this.notOwned = 0
    const message = `${count} entries belong to the user that restored them: only root may set another owner`
    return { code: 'OWNER_NOT_RESTORED', message, details: { count } }
  }
}
