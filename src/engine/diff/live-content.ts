/** Content read and compared with stored chunk ids, in workers. Nothing is stored. */
import { readMeta } from '../../model/entry.ts'
import type { SourceEntry } from '../../sources/source.ts'
import { ByteReader } from '../../util/bytes.ts'
import { HASH_DIFFERS, HASH_SAME, type HashJob, type HashResult } from '../../workers/ingest/hash.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { sendContent, streamHead } from '../backup/entry-content.ts'
import type { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { unreadablePolicy } from './live-batches.ts'

export type Contents = ReadonlyMap<string, SourceEntry>

/** One session in each thread. */
export async function openHashing(reading: Reading, run: RunContext): Promise<Hashing> {
  const init = { vault: reading.engine.repository.vault(), onUnreadable: unreadablePolicy(reading) }
  const handlers = { progress: () => run.progress.touch() }
  const sessions: Session[] = []
  for (const thread of reading.lease.threads) {
    sessions.push(reading.track(await thread.open('hash', init, handlers)))
  }
  return new Hashing(sessions, reading.signal, () => run.progress.touch())
}

export class Hashing {
  private readonly sessions: readonly Session[]
  private readonly signal: AbortSignal
  /** A sign of life. */
  private readonly onBytes: () => void
  private next = 0

  constructor(sessions: readonly Session[], signal: AbortSignal, onBytes: () => void) {
    this.sessions = sessions
    this.signal = signal
    this.onBytes = onBytes
  }

  /** Jobs that may be under way at once: one read and one waiting in each thread. */
  get atOnce(): number {
    return this.sessions.length * 2
  }

  /** Local files, read by a worker. The sessions take turns. */
  files(job: HashJob): Promise<HashResult> {
    const session = this.sessions[this.next++ % this.sessions.length]!
    return session.call<HashResult>('files', job, [job.metas.buffer, job.expected.buffer])
  }

  /** One entry after the other, as the source gives them. */
  async streams(source: string, job: HashJob, contents: Contents): Promise<HashResult> {
    const session = this.sessions[0]!
    const [metas, expected] = [new ByteReader(job.metas), new ByteReader(job.expected)]
    const result = { statuses: new Uint8Array(job.count), sizes: new Float64Array(job.count), warnings: [] }
    for (let i = 0; i < job.count; i++) {
      const { path } = readMeta(new ByteReader(metas.raw(metas.u32())))
      const entry = contents.get(path)!
      const stream = { ...streamHead(i, source, entry), prove: false }
      const sent = await sendContent(entry, { session, stream, signal: this.signal, onBytes: this.onBytes })
      const wanted = new Uint8Array(expected.raw(expected.u32()))
      const tail = { stream, bytes: sent.tail, expected: wanted }
      const isSame = await session.call<boolean>('end', tail, [sent.tail.buffer])
      result.sizes[i] = sent.bytes
      result.statuses[i] = isSame ? HASH_SAME : HASH_DIFFERS
    }
    return result
  }
}
