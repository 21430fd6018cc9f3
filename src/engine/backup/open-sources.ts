/** All sources are opened before any is read: that is what makes a snapshot of several sources one moment. */
import type { Json } from '../../errors.ts'
import { BackupError } from '../../errors.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { Source, SourceSession } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import { race, settled } from '../../util/abort.ts'
import type { RunContext } from '../run/context.ts'
import type { SourceFacts } from '../snapshots/source-facts.ts'
import type { EngineContext } from '../types/context.ts'
import type { SourceTotals } from './backup-tally.ts'

export interface OpenedSource {
  readonly name: string
  readonly kind: string
  readonly session: SourceSession
  /** Set when it has been read. */
  result?: { root: TreeRoot | null; entries: number; bytes: number }
  facts?: Readonly<Record<string, Json>>
}

/**
 * How long a session may take to end after a failure: a program that does not listen is killed after five seconds only, and
 * must be gone when the run settles. Less than an aborted run is waited for.
 */
const DISPOSE_MS = 8000

export class OpenedSources {
  readonly list: OpenedSource[] = []
  private readonly open = new Set<OpenedSource>()
  private readonly run: RunContext

  constructor(run: RunContext) {
    this.run = run
  }

  add(source: OpenedSource): void {
    this.list.push(source)
    this.open.add(source)
    this.run.emit('source:open', { source: source.name })
  }

  /** It has been read: its facts are taken, then its connections and locks end; uploads may go on. */
  async release(source: OpenedSource): Promise<void> {
    source.facts = await race(fromSource(source.name, source.session.describe()), this.run.signal)
    this.open.delete(source)
    await fromSource(source.name, source.session[Symbol.asyncDispose]())
    this.run.emit('source:release', { source: source.name })
  }

  /** What they say of themselves before they are read; nothing of a tree that a worker scans. */
  totals(): Promise<SourceTotals[]> {
    const { signal } = this.run
    return Promise.all(
      this.list.map(async ({ name, session }) => {
        const totals = session.totals && (await race(fromSource(name, session.totals()), signal))
        return totals ?? { items: null, bytes: null }
      }),
    )
  }

  records(): SnapshotSourceRecord[] {
    return this.list.map(({ name, kind, result, facts }) => ({
      name,
      kind,
      root: rootRecord(result!.root),
      entries: result!.entries,
      bytes: result!.bytes,
      facts: { ...facts },
    }))
  }

  /** Ends what is still open, after a failure. One that does not end is not waited for. */
  async close(): Promise<void> {
    const open = [...this.open]
    this.open.clear()
    const ended = open.map(({ session }) => settled((async () => session[Symbol.asyncDispose]())(), DISPOSE_MS))
    await Promise.all(ended)
  }
}

export async function openSources(
  engine: EngineContext,
  sources: readonly Source[],
  factsOf: (source: string) => Promise<SourceFacts | undefined>,
  run: RunContext,
): Promise<OpenedSources> {
  const opened = new OpenedSources(run)
  const excludePaths = placesOf(engine.target)
  try {
    for (const source of sources) {
      const facts = await factsOf(source.name)
      const session = await fromSource(
        source.name,
        source.open({
          signal: run.signal,
          excludePaths,
          warn: (warning) => run.warn(warning),
          ...(facts && { parent: { facts } }),
        }),
      )
      opened.add({ name: source.name, kind: source.kind, session })
    }
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** Where the repository itself lies: no backup may read what it writes. */
export function placesOf({ localPath, localFiles = [] }: Target): string[] {
  return localPath === undefined ? [...localFiles] : [localPath, ...localFiles]
}

/** A plugin's plain error becomes a source's error, so that it is never taken for a target's. */
export async function fromSource<T>(name: string, promise: PromiseLike<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw sourceError(name, error)
  }
}

export function sourceError(name: string, error: unknown): BackupError {
  if (BackupError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new BackupError('SOURCE_UNREACHABLE', `Source ${name} failed: ${message}`, {
    origin: 'source',
    details: { source: name },
    cause: error,
  })
}

function rootRecord(root: TreeRoot | null): SnapshotSourceRecord['root'] {
  return root && { id: Buffer.from(root.id).toString('base64url'), rawBytes: root.pageBytes, level: root.level }
}
