/**
 * Worker service 'place': decodes ranges of packs, checks every chunk, and writes files into a folder. Until it is told
 * that all is well it can undo: 'undo-files' of all workers takes away what they made, then 'undo-folders'.
 */
import { fsyncSync, readSync } from 'node:fs'
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { type EntryMeta, TYPE_FILE, TYPE_SYMLINK } from '../../model/entry.ts'
import { type PlaceHandle, Placer } from '../../sources/filesystem/place.ts'
import type { PlacePlan } from '../../sources/sink.ts'
import { abortError } from '../../util/abort.ts'
import { release } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { type FetchedRange, OpenedSegments } from '../segments/opened-segments.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'
import { CreatedPaths } from './created-paths.ts'
import { decodeJobBody, type PartOfFile, type Piece, type WholeFile } from './job.ts'

export interface PlaceInit {
  vault: VaultPlain
  plan: PlacePlan
  /** Read back what was written, and compare. */
  verify: boolean
  /** A word that is not 0: do no more, but be ready to undo. (An aborted session could not be told to.) */
  stop: SharedArrayBuffer
}

/** A file that several jobs fill. */
export interface OpenedFile {
  file: number
  meta: EntryMeta
  /** latin1 */
  temporary: string
}

/** `bytes` are those of the pack from `start` on. */
export interface PlaceJob extends FetchedRange {
  body: Uint8Array
  opened: OpenedFile[]
}

export async function createPlace(init: PlaceInit, host: Host): Promise<Service> {
  return new PlaceService(await createVault(init.vault), init, host)
}

class PlaceService implements Service {
  private readonly vault: Vault
  private readonly host: Host
  private readonly placer: Placer
  private readonly verify: boolean
  private readonly made = new CreatedPaths()
  private readonly begun = new Map<number, PlaceHandle>()
  private readonly stop: Int32Array

  constructor(vault: Vault, { plan, verify, stop }: PlaceInit, host: Host) {
    this.vault = vault
    this.host = host
    this.verify = verify
    this.stop = new Int32Array(stop)
    this.placer = new Placer(
      plan,
      (warning) => this.warn(warning),
      (path, isDirectory) => this.made.add(path, isDirectory),
    )
  }

  private warn(warning: Warning): void {
    void this.host.call('warn', warning).catch(() => undefined)
  }

  call(method: string, args: unknown): unknown {
    if (method === 'undo-files') return this.undoFiles()
    if (method === 'undo-folders') return this.undoFolders()
    this.throwIfStopped()
    if (method === 'job') return this.job(args as PlaceJob)
    if (method === 'simple') return this.each(args as EntryMeta[], (meta) => this.simple(meta))
    if (method === 'links')
      return this.each(args as { meta: EntryMeta; to: string }[], ({ meta, to }) => this.placer.link(meta, to))
    if (method === 'begin') return this.begin(args as { file: number; meta: EntryMeta }[])
    if (method === 'finish') return this.each(args as number[], (file) => this.finish(file))
    if (method === 'finish-directories') return this.placer.finishDirectories(args as EntryMeta[])
    if (method === 'warnings') return this.placer.flushWarnings()
    throw new BackupError('INTERNAL', `place has no method ${method}`, { origin: 'sink' })
  }

  private throwIfStopped(): void {
    this.host.throwIfAborted()
    if (Atomics.load(this.stop, 0) !== 0) throw abortError()
  }

  private each<T>(items: readonly T[], act: (item: T) => void): void {
    for (const item of items) {
      this.throwIfStopped()
      act(item)
    }
    this.placer.flush()
  }

  private simple(meta: EntryMeta): void {
    if (meta.type === TYPE_SYMLINK) this.placer.symlink(meta)
    else if (meta.type === TYPE_FILE) this.placer.writeWhole(meta, [])
    else this.placer.special(meta)
  }

  private begin(files: readonly { file: number; meta: EntryMeta }[]): OpenedFile[] {
    return files.map(({ file, meta }) => {
      const handle = this.placer.begin(meta)
      this.placer.leave(handle)
      this.begun.set(file, handle)
      return { file, meta, temporary: handle.temporary }
    })
  }

  private finish(file: number): void {
    const handle = this.placer.resume(this.begun.get(file)!)
    this.begun.delete(file)
    this.placer.finish(handle)
  }

  /** Takes away the files that this worker made. Folders go when all workers have done so: see CreatedPaths. */
  private undoFiles(): void {
    for (const handle of this.begun.values()) this.placer.abandon({ ...handle, fd: -1 })
    this.begun.clear()
    this.placer.abandonWaiting()
    const root = this.placer.locate()
    if (root !== undefined) this.made.removeFiles(root)
  }

  private undoFolders(): number {
    const root = this.placer.locate()
    return root === undefined ? 0 : this.made.removeFolders(root)
  }

  private async job({ body, opened, ...range }: PlaceJob): Promise<void> {
    const job = decodeJobBody(body)
    const segments = new OpenedSegments(this.vault, range, job.segments)
    for (const file of job.whole) await this.mending(segments, () => this.placeWhole(file, segments))
    const byNumber = new Map(opened.map((file) => [file.file, file]))
    for (const part of job.parts) {
      await this.mending(segments, () => this.fillPart(byNumber.get(part.file)!, part, segments))
    }
    segments.close()
    this.placer.flush()
  }

  /** Does it again with other bytes where a segment was damaged: then nothing was made, or it is only written once more. */
  private async mending(segments: OpenedSegments, act: () => void): Promise<void> {
    for (;;) {
      this.throwIfStopped()
      try {
        return act()
      } catch (error) {
        await segments.mend(error, this.host)
      }
    }
  }

  private placeWhole({ meta, pieces }: WholeFile, segments: OpenedSegments): void {
    segments.releaseBefore(firstSegment(pieces))
    const parts = pieces.map((piece) => segments.take(piece))
    this.placer.writeWhole(meta, parts, this.verify ? (fd) => compare(fd, meta, segments, pieces) : undefined)
  }

  private fillPart(target: OpenedFile, { pieces, sparse }: PartOfFile, segments: OpenedSegments): void {
    const handle = this.placer.resume(target)
    try {
      for (const piece of pieces) {
        this.throwIfStopped()
        segments.releaseBefore(piece.segment)
        this.placer.writeAt(handle, piece.position, segments.take(piece), sparse)
        if (this.verify) compare(handle.fd, target.meta, segments, [piece])
      }
    } finally {
      this.placer.leave(handle)
    }
  }
}

function firstSegment(pieces: readonly Piece[]): number {
  return pieces.reduce((least, { segment }) => Math.min(least, segment), Number.POSITIVE_INFINITY)
}

/** Reads back what was written, and compares. */
function compare(fd: number, meta: EntryMeta, segments: OpenedSegments, pieces: readonly Piece[]): void {
  fsyncSync(fd)
  for (const piece of pieces) {
    const found = Buffer.allocUnsafeSlow(piece.length)
    const count = readSync(fd, found, 0, piece.length, piece.position)
    const same = count === piece.length && found.equals(segments.view(piece))
    release(found)
    if (!same) throw mismatch(meta)
  }
}

function mismatch(meta: EntryMeta): BackupError {
  const path = latin1ToUser(meta.path)
  return new BackupError('RESTORE_MISMATCH', `${JSON.stringify(path)} does not read as it was written.`, {
    origin: 'sink',
    details: { path },
    hint: 'The disk or the file system of the destination is at fault. Restore to another place.',
  })
}
