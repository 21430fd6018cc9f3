/**
 * Puts entries into a folder, synchronously, in a worker. A file has a temporary name in its own folder until it is whole,
 * unless the whole root has one (`becomes`); nothing that is there is ever replaced; nothing leaves the root. Folders are
 * owner-only until `finishDirectories`, so that read-only ones can be filled. Times: see file-times.ts.
 *
 * Throws RESTORE_UNSAFE_PATH, RESTORE_CONFLICT, RESTORE_FULL, RESTORE_DENIED, RESTORE_BLOCKED. Paths are latin1.
 */
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import type { Warning } from '../../events.ts'
import type { EntryMeta } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { PlacePlan } from '../sink.ts'
import { placeError, placeFailure } from './place-errors.ts'
import { FactSetter } from './place-facts.ts'
import { type OnCreate, PlaceFolders, parentOf } from './place-folders.ts'
import { makeSpecial } from './place-special.ts'
import { writeAll, writeAround, writePart } from './place-write.ts'
import { XattrSetter } from './place-xattrs.ts'
import { nativePath } from './stat.ts'

/** Names of files that are not whole yet begin like this. */
export const TEMPORARY_PREFIX = '.holdfast-'

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW
const REOPEN = constants.O_RDWR | NO_FOLLOW
const OWNER_ONLY = 0o600
const MISSING_IS_FINE = { throwIfNoEntry: false } as const

/** A file that is being filled. `fd` can be read and written; all else is plain data for other workers: see `resume`. */
export interface PlaceHandle {
  fd: number
  readonly meta: EntryMeta
  /** latin1, absolute. */
  readonly temporary: string
}

export class Placer {
  private readonly folders: PlaceFolders
  private readonly facts: FactSetter
  private readonly xattrs: XattrSetter
  private readonly warn: (warning: Warning) => void
  private readonly created: OnCreate
  private readonly temporaryStem: string
  private readonly hidden: boolean
  private temporaries = 0

  /** `created` is told of everything made, as soon as it has its final name. */
  constructor(plan: PlacePlan, warn: (warning: Warning) => void, created: OnCreate = () => {}) {
    this.folders = new PlaceFolders(plan, created)
    this.hidden = plan.becomes !== undefined
    this.facts = new FactSetter(plan.owner)
    this.xattrs = new XattrSetter(plan)
    this.warn = warn
    this.created = created
    this.temporaryStem = `${TEMPORARY_PREFIX}${hex(randomBytes(8))}-`
  }

  /** The folder, and any above it. One that is there already is taken over, if it is a real one. */
  makeDirectory(meta: EntryMeta): void {
    this.folders.ready(meta.path)
    this.folders.open(meta.path)
  }

  /**
   * A file that is all in memory. `inspect` may read back what was written, and throw, before the file gets its name and
   * its mode (which may forbid reading even to its owner).
   */
  writeWhole(meta: EntryMeta, parts: readonly Uint8Array[], inspect?: (fd: number) => void): void {
    const handle = this.create(meta, this.hidden ? this.facts.firstMode(meta) : OWNER_ONLY)
    try {
      writeAll(handle.fd, parts)
      inspect?.(handle.fd)
    } catch (error) {
      throw this.failed(handle, 'write', error)
    }
    this.finish(handle)
  }

  /** A file that comes in pieces, in any order. What no `writeAt` reaches reads as zeros. */
  begin(meta: EntryMeta): PlaceHandle {
    const handle = this.create(meta, OWNER_ONLY)
    try {
      if (meta.sizeBytes) ftruncateSync(handle.fd, meta.sizeBytes)
      return handle
    } catch (error) {
      throw this.failed(handle, 'make room for', error)
    }
  }

  /** Takes part in a file that another Placer has begun. Close it with `leave`. */
  resume({ meta, temporary }: Pick<PlaceHandle, 'meta' | 'temporary'>): PlaceHandle {
    try {
      return { fd: openSync(nativePath(temporary), REOPEN), meta, temporary }
    } catch (error) {
      throw placeFailure('open its temporary file', meta.path, error)
    }
  }

  leave(handle: PlaceHandle): void {
    const { fd } = handle
    handle.fd = -1
    closeSync(fd)
  }

  /** `sparse`: blocks of zeros are left out, which only what was begun, and not written there before, can take. */
  writeAt({ fd, meta }: PlaceHandle, position: number, bytes: Uint8Array, sparse = false): void {
    try {
      if (sparse) writeAround(fd, position, bytes)
      else writePart(fd, position, bytes, 0, bytes.length)
    } catch (error) {
      throw placeFailure('write', meta.path, error)
    }
  }

  /**
   * Owner, mode, times; then its final name. On failure the temporary file is gone. One that has extended attributes has
   * neither these nor its name before `flush`.
   */
  finish(handle: PlaceHandle): void {
    const { meta, temporary } = handle
    try {
      this.facts.onOpenFile(handle.fd, meta)
      this.leave(handle)
    } catch (error) {
      throw this.failed(handle, 'finish', error)
    }
    const done = (): void => this.publish(handle)
    if (!this.xattrs.has(meta)) done()
    else this.xattrs.add({ path: temporary, meta, done, giveUp: () => this.abandon(handle) })
  }

  private publish(handle: PlaceHandle): void {
    const { path } = handle.meta
    try {
      if (!this.hidden) this.rename(path, handle.temporary)
    } catch (error) {
      throw this.failed(handle, 'finish', error)
    }
    this.created(path, false)
  }

  /** Extended attributes of all that is finished; before others need it by its name. */
  flush(): void {
    this.xattrs.flush()
  }

  /** Instead of `flush`, where all is to be undone: removes what was finished and has no name yet. */
  abandonWaiting(): void {
    this.xattrs.abandon()
  }

  /** Gives the file up and removes what there is of it. */
  abandon(handle: PlaceHandle): void {
    if (handle.fd >= 0) this.leave(handle)
    try {
      unlinkSync(nativePath(handle.temporary))
    } catch {
      // It is gone, or the folder is; the failure that led here says more.
    }
  }

  symlink(meta: EntryMeta): void {
    this.place(meta, 'make this link', (path) => symlinkSync(nativePath(meta.linkTarget ?? ''), path))
    this.setFacts(meta, (absolute) => this.facts.onLink(absolute, meta))
    this.dress(meta)
  }

  /** What has its name already. */
  private dress(meta: EntryMeta): void {
    if (!this.xattrs.has(meta)) return
    this.xattrs.add({ path: this.folders.absolute(meta.path), meta, done: () => {}, giveUp: () => {} })
  }

  /** Another name for a file that this run has placed. */
  link(meta: EntryMeta, existingPath: string): void {
    this.flush()
    this.folders.ready(existingPath)
    const existing = nativePath(this.folders.absolute(existingPath))
    this.place(meta, 'make this hard link', (path) => linkSync(existing, path))
  }

  /** A FIFO or a device; what this system or user cannot make (a socket) is the warning ENTRY_SKIPPED, and false. */
  special(meta: EntryMeta): boolean {
    this.folders.ready(meta.path)
    if (!makeSpecial(meta, this.folders.absolute(meta.path))) {
      this.warnSkipped(meta)
      return false
    }
    this.created(meta.path, false)
    this.setFacts(meta, (absolute) => this.facts.onPath(absolute, meta, false))
    this.dress(meta)
    return true
  }

  /** Final owner, mode and times of folders, deepest first, once all they hold is there. Ends with the owner warning. */
  finishDirectories(metas: readonly EntryMeta[]): void {
    this.flush()
    for (const meta of metas) this.makeDirectory(meta)
    // While all may still be entered, and before their times and modes, which an ACL has a part in.
    const dressed = metas.filter((meta) => this.xattrs.has(meta))
    if (dressed.length > 0) this.xattrs.set(dressed.map((meta) => ({ path: this.folders.absolute(meta.path), meta })))
    for (const meta of metas) {
      this.setFacts(meta, (absolute) => this.facts.onPath(absolute, meta, true))
    }
    this.flushWarnings()
  }

  /** The root's own owner, mode and times: the very last thing to be set. `meta.path` is ''. Makes it if it is not there. */
  finishRoot(meta: EntryMeta): void {
    this.folders.open('')
    if (this.xattrs.has(meta)) this.xattrs.set([{ path: this.folders.root, meta }])
    this.setFacts(meta, (absolute) => this.facts.onPath(absolute, meta, true))
    this.flushWarnings()
  }

  /** latin1. Where the root is: under its final name if it has got it by now. Undefined where it is neither here nor there. */
  locate(): string | undefined {
    return this.folders.locate()
  }

  /** Warns OWNER_NOT_RESTORED and of extended attributes, once for all entries so far. Call it when the work is done. */
  flushWarnings(): void {
    const warning = this.facts.takeWarning()
    if (warning !== null) this.warn(warning)
    for (const each of this.xattrs.takeWarnings()) this.warn(each)
  }

  private create(meta: EntryMeta, mode: number): PlaceHandle {
    this.folders.ready(meta.path)
    const temporary = this.folders.absolute(this.hidden ? meta.path : this.temporaryName(meta.path))
    try {
      return { fd: openSync(nativePath(temporary), CREATE, mode), meta, temporary }
    } catch (error) {
      throw placeFailure('make this file', meta.path, error)
    }
  }

  private temporaryName(path: string): string {
    const parent = parentOf(path)
    const name = this.temporaryStem + (this.temporaries++).toString(36)
    return parent === '' ? name : `${parent}/${name}`
  }

  private rename(path: string, temporary: string): void {
    const final = nativePath(this.folders.absolute(path))
    this.refuseExisting(path, final)
    renameSync(nativePath(temporary), final)
  }

  private failed(handle: PlaceHandle, doing: string, error: unknown): Error {
    this.abandon(handle)
    return placeFailure(doing, handle.meta.path, error)
  }

  /** Not by linking and unlinking, which would leave no gap: many file systems have no hard links. */
  private refuseExisting(path: string, final: string | Buffer): void {
    if (lstatSync(final, MISSING_IS_FINE) === undefined) return
    throw placeError('RESTORE_CONFLICT', path, 'there is something of that name already', 'EEXIST')
  }

  private place(meta: EntryMeta, doing: string, make: (path: string | Buffer) => void): void {
    this.folders.ready(meta.path)
    try {
      make(nativePath(this.folders.absolute(meta.path)))
    } catch (error) {
      throw placeFailure(doing, meta.path, error)
    }
    this.created(meta.path, false)
  }

  private setFacts(meta: EntryMeta, set: (absolute: string) => void): void {
    try {
      set(this.folders.absolute(meta.path))
    } catch (error) {
      throw placeFailure('set owner, mode and times', meta.path, error)
    }
  }

  private warnSkipped({ path: latin1 }: EntryMeta): void {
    const path = latin1ToUser(latin1)
    this.warn({ code: 'ENTRY_SKIPPED', message: `${JSON.stringify(path)} is of a type that cannot be made here`, path })
  }
}
