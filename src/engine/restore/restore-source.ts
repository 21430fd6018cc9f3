/**
 * One source of a snapshot into a folder: windows of work from the planner, ranges from the target, files by the workers.
 * The next window is planned and the next ranges are fetched while the workers write.
 */

import type { Warning } from '../../events.ts'
import type { EntryMeta } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { PlacePlan } from '../../sources/sink.ts'
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

export async function restoreSource(reading: Reading, options: SourceRestore): Promise<void> {
  const { source, root, select } = options
  const planner = await reading.open('restore-plan', { source, root, select }, reading.lease.threads.at(-1)!)
  const placers = await openPlacers(reading, options)
  const restore = new FolderRestore(reading, options, planner, placers)
  await restore.run()
}

function openPlacers(reading: Reading, { place, verify, warn }: SourceRestore): Promise<Session[]> {
  const { repository } = reading.engine
  const open = async (thread: Reading['lease']['threads'][number]): Promise<Session> => {
    const init = { vault: repository.vault(), plan: place, verify }
    return reading.track(await thread.open('place', init, { warn }))
  }
  return Promise.all(reading.lease.threads.map(open))
}

class FolderRestore {
  private readonly options: SourceRestore
  private readonly planner: Session
  private readonly placers: readonly Session[]
  private readonly queue: JobQueue
  private readonly opened = new Map<number, OpenedFile>()

  constructor(reading: Reading, options: SourceRestore, planner: Session, placers: readonly Session[]) {
    this.options = options
    this.planner = planner
    this.placers = placers
    this.queue = new JobQueue(reading, placers)
  }

  async run(): Promise<void> {
    let next = this.plan()
    for (;;) {
      const window = await next
      if (!window.done) next = this.plan()
      next.catch(() => undefined)
      await this.window(window)
      if (window.done) break
    }
    await this.finishDirectories()
    for (const placer of this.placers) await placer.call('commit', null)
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
