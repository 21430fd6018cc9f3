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
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { RestoreJob } from '../../workers/restore/job.ts'
import type { OpenedFile } from '../../workers/restore/place.ts'
import type { RestoreWindow } from '../../workers/restore/window.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { moved, type Reading } from '../reading/reading.ts'
import { FetchAhead } from './fetch-ahead.ts'
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
  const far = reading.engine.target.traits.remote
  const planner = await reading.open('restore-plan', { source, root, select, far }, reading.lease.threads.at(-1)!)
  const stop = new SharedArrayBuffer(4)
  const init = { vault: reading.engine.repository.vault(), plan: place, verify, stop }
  const handlers = { warn, range: async (request: RangeRequest) => moved(await reading.range(request)) }
  const opened = await Promise.allSettled(reading.lease.threads.map((thread) => thread.open('place', init, handlers)))
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
    this.queue = new JobQueue(placers)
    this.stop = new Int32Array(stop)
    this.unlink = onAbort(reading.signal, () => this.raise())
  }

  private raise(): void {
    Atomics.store(this.stop, 0, 1)
  }

  async run(): Promise<void> {
    let next = this.plan()
    let settling = Promise.resolve()
    for (;;) {
      const window = await next
      if (!window.done) next = this.plan()
      next.catch(() => undefined)
      const work = await this.start(window)
      await settling
      // While the last jobs of this window run, the first ones of the next are handed out.
      settling = this.settle(window, work)
      settling.catch(() => undefined)
      throwIfAborted(this.reading.signal)
      if (window.done) break
    }
    await settling
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

  /** The one that begins a file also finishes it, so that it can give it up. */
  private owner(file: number): Session {
    return this.placers[file % this.placers.length]!
  }

  /** Folders are made by whoever puts something into them, empty ones at the end. Gives what is under way. */
  private async start(window: RestoreWindow): Promise<Promise<unknown>[]> {
    await this.begin(window)
    const work: Promise<unknown>[] = this.shares(window.simple).map(([placer, metas]) => placer.call('simple', metas))
    for (const each of work) each.catch(() => undefined)
    const fetches = new FetchAhead(this.reading, window.jobs)
    for (const job of window.jobs) {
      const opened = job.parts.map((file) => this.opened.get(file)!)
      work.push((await this.queue.push(job, opened, fetches, () => this.jobDone(job))).ended)
    }
    return work
  }

  private async settle(window: RestoreWindow, work: readonly Promise<unknown>[]): Promise<void> {
    await Promise.all(work)
    this.queue.throwIfFailed()
    await this.finish(window)
    await Promise.all(this.shares(window.links).map(([placer, links]) => placer.call('links', links)))
    this.note(window)
  }

  /** The same number for each of the workers that write. */
  private shares<T>(items: readonly T[]): [Session, T[]][] {
    const size = Math.ceil(items.length / this.placers.length)
    const shares = this.placers.map((placer, i): [Session, T[]] => [placer, items.slice(i * size, (i + 1) * size)])
    return shares.filter(([, share]) => share.length > 0)
  }

  private async begin({ begins }: RestoreWindow): Promise<void> {
    const owners = this.byOwner(begins, ({ file }) => file)
    const begun = await Promise.all(owners.map(([owner, files]) => owner.call<OpenedFile[]>('begin', files)))
    for (const file of begun.flat()) this.opened.set(file.file, file)
  }

  private byOwner<T>(items: readonly T[], fileOf: (item: T) => number): [Session, T[]][] {
    const groups = new Map<Session, T[]>()
    for (const each of items) {
      const owner = this.owner(fileOf(each))
      const group = groups.get(owner)
      if (group) group.push(each)
      else groups.set(owner, [each])
    }
    return [...groups]
  }

  private async finish({ complete }: RestoreWindow): Promise<void> {
    await Promise.all(this.byOwner(complete, (file) => file).map(([owner, files]) => owner.call('finish', files)))
    for (const file of complete) this.opened.delete(file)
    if (complete.length > 0) this.options.done(complete.length, 0, '')
  }

  private jobDone({ wholeFiles, wholeBytes, partBytes }: RestoreJob): void {
    this.options.done(wholeFiles, wholeBytes + partBytes, '')
  }

  private note({ directories, simple, links }: RestoreWindow): void {
    const last = simple.at(-1)?.path
    const entries = directories + simple.length + links.length
    this.options.done(entries, 0, last === undefined ? '' : latin1ToUser(last))
  }

  private async finishDirectories(): Promise<void> {
    for (;;) {
      const metas = await this.planner.call<EntryMeta[]>('directories', DIRECTORIES_AT_ONCE)
      if (metas.length === 0) return
      await this.placers[0]!.call('finish-directories', metas)
    }
  }
}
