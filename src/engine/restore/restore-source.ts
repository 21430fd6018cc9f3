/**
 * One source of a snapshot into a folder: windows of work from the planner, ranges from the target, files by the workers.
 * The next window is planned and the next ranges are fetched while the workers write.
 */

import type { Warning } from '../../events.ts'
import type { EntryMeta } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { PlacePlan } from '../../sources/sink.ts'
import { onAbort, throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { SelectorPlain } from '../../workers/entry-selector.ts'
import type { OpenedFile } from '../../workers/place.ts'
import type { RestoreJob } from '../../workers/restore-job.ts'
import type { RestoreWindow } from '../../workers/restore-window.ts'
import type { Session } from '../../workers/rpc.ts'
import type { Reading } from '../reading.ts'
import { JobQueue } from './job-queue.ts'

export interface SourceRestore {
  source: string
  root: TreeRoot | null
  place: PlacePlan
  select: SelectorPlain
  verify: boolean
  warn(warning: Warning): void
  done(entries: number, bytes: number, path: string): void
}

const DIRECTORIES_AT_ONCE = 1000

/**
 * Begins nothing yet. After `run`, or a failure of it, either `conclude` or `undo`; then `close`.
 */
export async function openFolderRestore(reading: Reading, options: SourceRestore): Promise<FolderRestore> {
  const { source, root, select, place, verify, warn } = options
  const planner = await reading.open('restore-plan', { source, root, select }, reading.lease.threads.at(-1)!)
  const stop = new SharedArrayBuffer(4)
  const init = { vault: reading.engine.repository.vault(), plan: place, verify, stop }
  const opened = await Promise.allSettled(reading.lease.threads.map((thread) => thread.open('place', init, { warn })))
  const placers = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const restore = new FolderRestore(reading, options, planner, placers, stop)
  const failed = opened.find((each) => each.status === 'rejected')
  if (!failed) return restore
  await restore.close()
  throw failed.reason
}

/**
 * The workers that write are not aborted as others are: they could not undo then. They are told to stop by a flag, and
 * do so after the file they are at.
 */
export class FolderRestore {
  private readonly reading: Reading
  private readonly options: SourceRestore
  private readonly planner: Session
  private readonly placers: readonly Session[]
  private readonly queue: JobQueue
  private readonly opened = new Map<number, OpenedFile>()
  private readonly stop: Int32Array
  private readonly unlink: () => void

  constructor(
    reading: Reading,
    options: SourceRestore,
    planner: Session,
    placers: readonly Session[],
    stop: SharedArrayBuffer,
  ) {
    this.reading = reading
    this.options = options
    this.planner = planner
    this.placers = placers
    this.queue = new JobQueue(reading, placers)
    this.stop = new Int32Array(stop)
    this.unlink = onAbort(reading.signal, () => this.raise())
  }

  private raise(): void {
    Atomics.store(this.stop, 0, 1)
  }

  async run(): Promise<void> {
    let next = this.plan()
    for (;;) {
      const window = await next
      if (!window.done) next = this.plan()
      next.catch(() => undefined)
      await this.window(window)
      throwIfAborted(this.reading.signal)
      if (window.done) break
    }
    await this.finishDirectories()
  }

  /** Nothing is taken back from here on. */
  async conclude(): Promise<void> {
    for (const placer of this.placers) await placer.call('warnings', null)
  }

  /** Takes away all that was made. What is still under way ends first, since calls of a worker go one by one. */
  async undo(): Promise<void> {
    this.raise()
    await Promise.allSettled(this.placers.map((placer) => placer.call('undo-files', null)))
    for (let removed = 1; removed > 0; ) {
      const counts = await Promise.allSettled(this.placers.map((placer) => placer.call<number>('undo-folders', null)))
      removed = counts.reduce((sum, each) => sum + (each.status === 'fulfilled' ? each.value : 0), 0)
    }
  }

  async close(): Promise<void> {
    this.unlink()
    await Promise.allSettled(this.placers.map((placer) => placer.close()))
  }

  private plan(): Promise<RestoreWindow> {
    return this.planner.call<RestoreWindow>('next', null)
  }

  private get first(): Session {
    return this.placers[0]!
  }

  /** The one that begins a file also finishes it, so that it can give it up. */
  private owner(file: number): Session {
    return this.placers[file % this.placers.length]!
  }

  private async window(window: RestoreWindow): Promise<void> {
    if (window.directories.length > 0) await this.first.call('directories', window.directories)
    await this.begin(window)
    const simple = this.first.call('simple', window.simple)
    simple.catch(() => undefined)
    for (const job of window.jobs) {
      const opened = job.parts.map((file) => this.opened.get(file)!)
      await this.queue.push(job, opened, () => this.jobDone(job))
    }
    await simple
    await this.queue.drain()
    await this.finish(window)
    if (window.links.length > 0) await this.first.call('links', window.links)
    this.note(window)
  }

  private async begin({ begins }: RestoreWindow): Promise<void> {
    for (const [owner, files] of this.byOwner(begins)) {
      for (const file of await owner.call<OpenedFile[]>('begin', files)) this.opened.set(file.file, file)
    }
  }

  private byOwner(
    files: readonly { file: number; meta: EntryMeta }[],
  ): Map<Session, { file: number; meta: EntryMeta }[]> {
    const groups = new Map<Session, { file: number; meta: EntryMeta }[]>()
    for (const each of files) {
      const owner = this.owner(each.file)
      groups.set(owner, [...(groups.get(owner) ?? []), each])
    }
    return groups
  }

  private async finish({ complete }: RestoreWindow): Promise<void> {
    for (const file of complete) {
      await this.owner(file).call('finish', [file])
      this.opened.delete(file)
    }
    if (complete.length > 0) this.options.done(complete.length, 0, '')
  }

  private jobDone({ wholeFiles, wholeBytes, partBytes }: RestoreJob): void {
    this.options.done(wholeFiles, wholeBytes + partBytes, '')
  }

  private note({ directories, simple, links }: RestoreWindow): void {
    const last = (simple.at(-1) ?? directories.at(-1))?.path
    const entries = directories.length + simple.length + links.length
    this.options.done(entries, 0, last === undefined ? '' : latin1ToUser(last))
  }

  private async finishDirectories(): Promise<void> {
    for (;;) {
      const metas = await this.planner.call<EntryMeta[]>('directories', DIRECTORIES_AT_ONCE)
      if (metas.length === 0) return
      await this.first.call('finish-directories', metas)
    }
  }
}
