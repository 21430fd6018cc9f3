/** Content that is lost, looked for where it came from. A source that cannot be read heals nothing, and that is said. */
import { BackupError } from '../../errors.ts'
import type { Source, SourceEntry, SourceSession } from '../../sources/source.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { FileHeal } from '../../workers/repair/heal.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { sendContent, streamHead } from '../backup/entry-content.ts'
import { openSources } from '../backup/open-sources.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'

/** Paths of entries that have lost something, by source. */
export type LostPaths = ReadonlyMap<string, ReadonlySet<string>>

/** Gives what those entries hold now to a session that knows what is wanted. */
export async function readLive(
  engine: EngineContext,
  run: RunContext,
  sources: readonly Source[],
  paths: LostPaths,
  session: Session,
): Promise<void> {
  for (const source of sources) {
    const wanted = paths.get(source.name)
    if (!wanted || wanted.size === 0) continue
    try {
      await readSource(engine, run, source, wanted, session)
    } catch (error) {
      await notRead(error, source.name, session, run)
    }
  }
}

async function notRead(error: unknown, source: string, session: Session, run: RunContext): Promise<void> {
  if (run.signal.aborted || !BackupError.is(error) || error.origin !== 'source') throw error
  const message = `Source ${source} could not be read for what is lost: ${error.message}`
  run.warn({ code: 'SOURCE_NOT_READ', message, details: { source, error: error.code } })
  await session.call('reset', null)
}

async function readSource(
  engine: EngineContext,
  run: RunContext,
  source: Source,
  wanted: ReadonlySet<string>,
  session: Session,
): Promise<void> {
  const opened = await openSources(engine, [source], async () => undefined, run)
  try {
    const live = opened.list[0]!.session
    if (live.scan) await readFiles(live.scan, wanted, session, run.signal)
    else await readStreams(source.name, live, wanted, session, run)
  } finally {
    await opened.close()
  }
}

/** By their paths: nothing else is looked at. */
async function readFiles(
  { roots, followSymlinks: follow }: NonNullable<SourceSession['scan']>,
  wanted: ReadonlySet<string>,
  session: Session,
  signal: AbortSignal,
): Promise<void> {
  for (const path of wanted) {
    throwIfAborted(signal)
    const root = roots.find(({ prefix }) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`))
    if (!root) continue
    const below = root.prefix === '' ? path : path.slice(root.prefix.length + 1)
    const whole = below === '' ? root.path : `${root.path}/${below}`
    const job: FileHeal = { path: userToLatin1(whole), follow }
    await session.call('file', job)
  }
}

/** All entries are listed; of those that are wanted the content is read. */
async function readStreams(
  source: string,
  live: SourceSession,
  wanted: ReadonlySet<string>,
  session: Session,
  run: RunContext,
): Promise<void> {
  let id = 0
  for await (const batch of live.entries()) {
    throwIfAborted(run.signal)
    for (const entry of batch) {
      if (!wanted.has(entry.path) || !entry.content) continue
      try {
        await readStream(source, entry, id++, session, run)
      } catch (error) {
        // One that cannot be read any more keeps nobody from the others.
        await notRead(error, source, session, run)
      }
    }
  }
}

async function readStream(
  source: string,
  entry: SourceEntry,
  id: number,
  session: Session,
  run: RunContext,
): Promise<void> {
  if (entry.content!.from === 'file') {
    await session.call('file', { path: userToLatin1(entry.content!.path), follow: false } satisfies FileHeal)
    return
  }
  const stream = { ...streamHead(id, source, entry), prove: false }
  const sent = await sendContent(entry, { session, stream, signal: run.signal, onBytes: () => run.progress.touch() })
  await session.call('end', { stream, bytes: sent.tail }, [sent.tail.buffer])
}
