/** Copies what is needed out of packs that are mostly dead, and says in the index where it is now. */
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import type { PackFacts } from '../../model/fragment.ts'
import { packBytesFor } from '../../model/pack.ts'
import { linkAbort, onAbort, throwIfAborted } from '../../util/abort.ts'
import { packStored } from '../../workers/chunks/chunk-store.ts'
import type { FinishedPack } from '../../workers/ingest/pack-builder.ts'
import type { CopyAnswer, CopyJob } from '../../workers/prune/copy.ts'
import type { NeededRange } from '../../workers/prune/tally.ts'
import type { Moved, Session } from '../../workers/threads/rpc.ts'
import { indexKey, packKey } from '../keys-layout.ts'
import { readPack } from '../pack-bytes.ts'
import { type ContentsOptions, currentVault, type PruneContents } from './contents.ts'
import type { JudgedPack } from './survey.ts'

export interface CopyResult {
  /** Of these everything that is needed is elsewhere now. */
  readonly copied: readonly JudgedPack[]
  readonly storedBytes: number
  /** These stay as they are: they are damaged, and nothing of them is to be given up. */
  readonly damaged: readonly { name: string; why: string }[]
  /** There was no room for the copies: nothing was copied, and what had been stored of them is gone again. */
  readonly noRoom?: BackupError
}

export interface CopyOptions extends ContentsOptions {
  runId: string
  /** Of the new packs, at most. Default 8 MiB. */
  packBytes?: number | undefined
  onCopied(bytes: number): void
}

/** Packs of a thread that are fetched or copied at once. */
const LANES = 2
/** Fragments are kept small enough to be sealed in one go. */
const FRAGMENT_PACKS = 64

/** The caller's packs are condemned only after this has resolved: then all copies are stored and recorded. */
export async function copyNeeded(
  packs: readonly JudgedPack[],
  contents: PruneContents,
  options: CopyOptions,
): Promise<CopyResult> {
  const copy = new PackCopy(contents, options)
  if (packs.length === 0) return copy.result
  let failure: unknown
  try {
    await copy.open()
    await copy.all(packs)
    return copy.result
  } catch (error) {
    failure = error
    if (!isFull(error)) throw error
    await copy.close(error)
    await copy.takeBack()
    return { copied: [], storedBytes: 0, damaged: copy.result.damaged, noRoom: error }
  } finally {
    await copy.close(failure)
  }
}

export function isFull(error: unknown): error is BackupError {
  return BackupError.is(error) && error.code === 'TARGET_FULL'
}

interface PackJob {
  readonly pack: JudgedPack
  /** Of each of its places. */
  readonly ranges: readonly (readonly NeededRange[])[]
}

class PackCopy {
  private readonly contents: PruneContents
  private readonly options: CopyOptions
  private readonly sessions: Session[] = []
  private readonly facts: PackFacts[] = []
  readonly result = { copied: [] as JudgedPack[], storedBytes: 0, damaged: [] as { name: string; why: string }[] }
  private isRecording = false
  private readonly unlink: () => void

  constructor(contents: PruneContents, options: CopyOptions) {
    this.contents = contents
    this.options = options
    this.unlink = onAbort(options.signal, (reason) => this.abort(reason))
  }

  async open(): Promise<void> {
    const handlers = { pack: (pack: FinishedPack) => this.store(pack) }
    const { target, packBytes = packBytesFor(target) } = this.options
    const init = { ...this.contents.init(), vault: await currentVault(this.options), packBytes }
    for (const thread of this.options.threads) this.sessions.push(await thread.open('prune-copy', init, handlers))
    throwIfAborted(this.options.signal)
  }

  async all(packs: readonly JudgedPack[]): Promise<void> {
    // All at once and first: the thread that answers is about to be as busy as the others.
    const ranges = (await this.contents.ranges(packs.flatMap(({ places }) => places))).values()
    const jobs = packs.map((pack) => ({ pack, ranges: pack.places.map(() => ranges.next().value!) }))
    await this.lanes(jobs.values())
    await Promise.all(this.sessions.map((session) => session.call('finish', null)))
    await this.record()
  }

  /** Each thread has a pack in work and the next one on its way; whoever is free takes the next. */
  private async lanes(jobs: Iterator<PackJob>): Promise<void> {
    const { target, signal } = this.options
    const stop = linkAbort(signal)
    const lane = async (session: Session): Promise<void> => {
      for (let job = jobs.next(); !job.done && !stop.signal.aborted; job = jobs.next()) {
        await this.one(job.value, session, stop.signal)
      }
    }
    const count = Math.max(1, Math.min(target.traits.maxConcurrency, this.sessions.length * LANES))
    const lanes = Array.from({ length: count }, (_, at) => lane(this.sessions[at % this.sessions.length]!))
    try {
      await Promise.all(lanes)
    } catch (error) {
      stop.abort(error)
      this.abort(error)
      throw error
    } finally {
      stop.dispose()
      await Promise.allSettled(lanes)
    }
    throwIfAborted(signal)
  }

  private async one({ pack, ranges }: PackJob, session: Session, signal: AbortSignal): Promise<void> {
    const { target, onCopied } = this.options
    for (const [at, place] of pack.places.entries()) {
      for (const { start, end } of ranges[at]!) {
        const bytes = await readPack(target, pack.name, { range: { start, end }, signal })
        const job: CopyJob = { ...place, start, bytes }
        const { damage } = await session.call<CopyAnswer>('copy', job, [bytes.buffer])
        if (damage !== undefined) {
          this.result.damaged.push({ name: pack.name, why: damage })
          return
        }
        onCopied(end - start)
      }
    }
    this.result.copied.push(pack)
  }

  private async store(pack: FinishedPack): Promise<Moved> {
    const { target, signal } = this.options
    throwIfAborted(signal)
    const sha256 = hex(pack.name)
    await target.put(packKey(sha256), pack.bytes, { signal, sha256 })
    const { name, packBytes, directory } = pack
    this.facts.push({ name, packBytes, directory })
    this.result.storedBytes += packBytes
    return packStored(pack.bytes)
  }

  /** New packs that no fragment names yet: they are nobody's, and their room is needed. */
  async takeBack(): Promise<void> {
    const { target, signal } = this.options
    throwIfAborted(signal)
    if (!this.isRecording)
      await target.delete(
        this.facts.map(({ name }) => packKey(hex(name))),
        { signal },
      )
  }

  /** After the packs that they name. */
  private async record(): Promise<void> {
    this.isRecording = true
    const { target, threads, signal, runId } = this.options
    const session = await threads[0]!.open('index', { vault: await currentVault(this.options) }, {})
    this.sessions.push(session)
    for (let at = 0; at < this.facts.length; at += FRAGMENT_PACKS) {
      const key = indexKey(hex(randomBytes(32)))
      const packs = this.facts.slice(at, at + FRAGMENT_PACKS)
      const sealed = await session.call<Uint8Array<ArrayBuffer>>('seal', { key, runId, packs })
      throwIfAborted(signal)
      await target.put(key, sealed, { signal })
    }
  }

  private abort(reason: unknown): void {
    for (const session of this.sessions) session.abort(reason)
  }

  async close(failure?: unknown): Promise<void> {
    this.unlink()
    if (failure !== undefined) this.abort(failure)
    await Promise.allSettled(this.sessions.map((session) => session.close()))
  }
}
