import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Json } from '../../errors.ts'
import {
  ENTRY_TYPES,
  type EntryMeta,
  placedType,
  TYPE_DIRECTORY,
  TYPE_FILE,
  TYPE_OTHER,
  TYPE_SYMLINK,
} from '../../model/entry.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { PlacePlan, SinkContext, SinkEntry, SinkSession } from '../sink.ts'
import type { ScanPlan, SourceEntry } from '../source.ts'
import { FolderStaging, stagedPlan } from './folder-staging.ts'
import { type PlaceHandle, Placer } from './place.ts'
import { placeError, placeFailure } from './place-errors.ts'
import { type Created, removeCreated } from './place-undo.ts'
import { RootBefore } from './root-before.ts'
import { rootMeta } from './root-facts.ts'
import { scanEntries } from './scan-entries.ts'
import { DEVICE_ATTRIBUTE, nativePath } from './stat.ts'

/**
 * One restore into a folder. A new one is filled under a hidden name until the commit (folder-staging.ts); in one that is
 * there already each file is live once it is whole. All go to new names, so nothing that was there is touched, and
 * `rollback` removes what this session made. (It knows that only in its own process.)
 */
export class FolderSession implements SinkSession {
  readonly place: PlacePlan
  private readonly context: SinkContext
  private readonly placer: Placer
  private readonly created: Created[] = []
  private readonly directories: EntryMeta[] = []
  private readonly firstOfGroup = new Map<string, string>()
  private readonly before: RootBefore
  private readonly staging: FolderStaging
  /** To be set on the root; null for one that held something before, and keeps its own. */
  private readonly root: EntryMeta | null

  static async open(place: PlacePlan, context: SinkContext): Promise<FolderSession> {
    const before = await RootBefore.look(place.root)
    return new FolderSession(before.exists ? place : stagedPlan(place), context, before)
  }

  private constructor(place: PlacePlan, context: SinkContext, before: RootBefore) {
    this.place = place
    this.context = context
    this.before = before
    this.staging = new FolderStaging(place)
    this.staging.check()
    this.root = before.isEmpty ? rootMeta(context.facts.root) : null
    this.placer = new Placer(
      place,
      (warning) => context.warn(warning),
      (path, isDirectory) => this.created.push({ path, isDirectory }),
    )
  }

  async *current(): AsyncGenerator<readonly SourceEntry[]> {
    const { final } = this.staging
    if ((await RootBefore.look(final)).exists) yield* scanEntries(planOf(final), this.context)
  }

  async space(): Promise<{ freeBytes?: number }> {
    for (let path = this.place.root; ; path = dirname(path)) {
      try {
        const { bavail, bsize } = await statfs(nativePath(userToLatin1(path)))
        return { freeBytes: bavail * bsize }
      } catch {
        // Not there yet: its folder's file system will hold it.
        if (path === dirname(path)) return {}
      }
    }
  }

  async write(entry: SinkEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
    throwIfAborted(this.context.signal)
    const meta = metaOf(entry)
    if (meta.type === TYPE_DIRECTORY) {
      this.placer.makeDirectory(meta)
      this.directories.push(meta)
      return
    }
    const first = meta.linkGroup === undefined ? undefined : this.firstOfGroup.get(meta.linkGroup)
    if (first !== undefined) this.placer.link(meta, first)
    else if (await this.writeFirst(meta, content)) this.remember(meta)
  }

  private remember({ linkGroup, path }: EntryMeta): void {
    if (linkGroup !== undefined) this.firstOfGroup.set(linkGroup, path)
  }

  /** False if it could not be made here. */
  private async writeFirst(meta: EntryMeta, content: AsyncIterable<Uint8Array>): Promise<boolean> {
    if (meta.type === TYPE_FILE) await this.writeFile(meta, content)
    else if (meta.type === TYPE_SYMLINK) this.placer.symlink(meta)
    else return this.placer.special(meta)
    return true
  }

  private async writeFile(meta: EntryMeta, content: AsyncIterable<Uint8Array>): Promise<void> {
    const handle = this.placer.begin(meta)
    try {
      await this.fill(handle, content)
    } catch (error) {
      this.placer.abandon(handle)
      throw error
    }
    this.placer.finish(handle)
  }

  private async fill(handle: PlaceHandle, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { path, sizeBytes = 0 } = handle.meta
    let position = 0
    for await (const bytes of content) {
      throwIfAborted(this.context.signal)
      if (position + bytes.length <= sizeBytes) this.placer.writeAt(handle, position, bytes)
      position += bytes.length
    }
    if (position === sizeBytes) return
    throw placeError('RESTORE_MISMATCH', path, `content has ${position} bytes where the entry says ${sizeBytes}`)
  }

  async prepare(): Promise<void> {
    throwIfAborted(this.context.signal)
    this.placer.finishDirectories(this.directories.toReversed())
    if (this.root !== null) this.placer.finishRoot(this.root)
    this.staging.check()
  }

  /** Can still be rolled back, when another sink of the same restore fails to commit. */
  async commit(): Promise<void> {
    this.staging.commit()
  }

  async rollback(): Promise<void> {
    this.placer.abandonWaiting()
    const created = this.created.splice(0)
    try {
      removeCreated(userToLatin1(this.staging.current), created)
      await this.staging.discard()
      await this.before.putBack()
    } catch (error) {
      throw placeFailure('take back what was restored', userToLatin1(this.staging.final), error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function planOf(root: string): ScanPlan {
  return {
    kind: 'filesystem',
    roots: [{ path: root, prefix: '' }],
    include: [],
    exclude: [],
    excludePaths: [],
    oneFileSystem: false,
    followSymlinks: false,
    checksum: false,
    maxFileBytes: null,
  }
}

function metaOf(entry: SinkEntry): EntryMeta {
  const { mode, uid, gid, mtimeNs, linkTarget, linkGroup, facts } = entry
  const meta: EntryMeta = {
    path: userToLatin1(entry.path),
    type: typeOf(entry.type, facts),
    mode,
    uid,
    gid,
    mtimeNs,
    sizeBytes: entry.size,
    linkTarget: linkTarget === undefined ? undefined : userToLatin1(linkTarget),
    linkGroup,
    attributes: { ...facts, 'holdfast.type': entry.type },
  }
  return { ...meta, type: placedType(meta, entry.type) }
}

function typeOf(type: string, facts: Readonly<Record<string, Json>>): number {
  const name = type === 'device' ? `${facts[DEVICE_ATTRIBUTE]}-device` : type
  const known = (ENTRY_TYPES as readonly string[]).indexOf(name)
  return known === -1 ? TYPE_OTHER : known
}
