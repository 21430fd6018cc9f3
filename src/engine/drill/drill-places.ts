/** Where a drill restores each source, and how that is taken away again. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupError } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { Sink } from '../../sources/sink.ts'
import { chooseDestinations, type Destination } from '../restore/destinations.ts'
import type { EngineContext } from '../types/context.ts'

/** The sink that puts files back puts them where they are live. */
const LIVE_KINDS: ReadonlySet<string> = new Set(['filesystem'])

export class DrillPlaces {
  private folder: string | undefined

  /** In the order of the sources. Makes the temporary folder, if any goes there. */
  async choose(
    engine: EngineContext,
    { record }: SnapshotInfo,
    sources: readonly string[],
    given: Readonly<Record<string, Sink>>,
  ): Promise<Destination[]> {
    const stranger = Object.keys(given).find((name) => !sources.includes(name))
    if (stranger !== undefined) throw unknownSource(stranger, sources)
    const chosen: Destination[] = []
    for (const name of sources) {
      const kind = record.sources.find((source) => source.name === name)!.kind
      const sink = (Object.hasOwn(given, name) && given[name]) || ownSink(engine, name, kind)
      const to = sink ? { sinks: { [name]: sink } } : { folder: await this.temporary() }
      chosen.push(...chooseDestinations(to, [name]))
    }
    return chosen
  }

  private async temporary(): Promise<string> {
    this.folder ??= await mkdtemp(join(tmpdir(), 'holdfast-drill-'))
    return this.folder
  }

  async remove(): Promise<void> {
    if (this.folder !== undefined) await rm(this.folder, { recursive: true, force: true })
  }
}

function ownSink({ sources }: EngineContext, name: string, kind: string): Sink | undefined {
  if (LIVE_KINDS.has(kind)) return undefined
  return sources.find((source) => source.name === name && source.kind === kind)?.sink?.()
}

function unknownSource(name: string, sources: readonly string[]): BackupError {
  return new BackupError(
    'ENTRY_NOT_FOUND',
    `drill: there is a sink for ${name}, but only ${sources.join(', ')} is restored`,
    {
      origin: 'usage',
      details: { source: name },
      hint: 'Name sinks after sources of the snapshot that are selected.',
    },
  )
}
