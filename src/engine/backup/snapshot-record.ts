/** The snapshot object of a backup. */
import { BackupError } from '../../errors.ts'
import { factsToMove, type SnapshotRecord, type SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { Run } from '../../repository/runs.ts'
import type { ParsedBackupOptions } from '../options/backup.ts'
import type { RunContext } from '../run/context.ts'
import type { BackupCounts } from '../types/backup.ts'
import type { EngineContext } from '../types/context.ts'
import type { BackupTally } from './backup-tally.ts'
import type { Parents } from './parents.ts'

/** What a copy keeps of the snapshot that it is made from, instead of what this run, process and host are. */
export type SnapshotOrigin = Pick<SnapshotRecord, 'createdAt' | 'host' | 'kind' | 'complete'> &
  Partial<Pick<SnapshotRecord, 'actor' | 'schedule' | 'copiedFrom'>>

export interface SnapshotParts {
  engine: EngineContext
  options: ParsedBackupOptions
  run: RunContext
  protocol: Run
  parents: Parents
  tally: BackupTally
  sources: SnapshotSourceRecord[]
  origin: SnapshotOrigin | undefined
}

export function buildSnapshot({
  engine,
  options,
  run,
  protocol,
  parents,
  tally,
  sources,
  origin,
}: SnapshotParts): SnapshotRecord {
  const { counts } = tally
  const { newest } = parents
  return {
    id: protocol.runId,
    runId: run.runId,
    ...(origin ?? ownOrigin(engine, run, protocol, counts)),
    ...(options.name !== undefined && { name: options.name }),
    ...(options.description !== undefined && { description: options.description }),
    tags: [...options.tags],
    labels: { ...options.labels },
    ...(newest && { parent: newest.id }),
    previous: newest?.checksum ?? null,
    epoch: engine.repository.repository.keyring.newestEpoch,
    durationMs: engine.clock.now().getTime() - protocol.startedAt.getTime(),
    counts: { ...counts },
    sources,
  }
}

function ownOrigin(engine: EngineContext, run: RunContext, protocol: Run, { skipped }: BackupCounts): SnapshotOrigin {
  return {
    createdAt: protocol.startedAt,
    host: engine.host,
    kind: 'backup',
    ...(run.actor !== undefined && { actor: run.actor }),
    complete: skipped === 0,
  }
}

/** Far below the largest chunk that a reader takes. */
const MAX_FACTS_BYTES = 4 * 1024 * 1024

/** Facts too large for the snapshot become chunks of their own. `put` stores JSON and gives its chunk id. */
export async function moveLargeFacts(
  snapshot: SnapshotRecord,
  put: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<SnapshotRecord> {
  for (const index of factsToMove(snapshot)) {
    const source = snapshot.sources[index]!
    const bytes = new TextEncoder().encode(JSON.stringify(source.facts))
    if (bytes.length > MAX_FACTS_BYTES) throw tooManyFacts(source.name, bytes.length)
    const id = await put(bytes)
    source.factsRef = { id: Buffer.from(id).toString('base64url'), rawBytes: bytes.length }
    source.facts = {}
  }
  return snapshot
}

function tooManyFacts(source: string, bytes: number): BackupError {
  return new BackupError(
    'LIMIT_EXCEEDED',
    `The facts of source ${source} take ${bytes} bytes; at most ${MAX_FACTS_BYTES} can be kept.`,
    {
      origin: 'source',
      details: { source, bytes, limit: MAX_FACTS_BYTES },
      hint: 'Facts describe a source in short; what is long belongs into an entry.',
    },
  )
}
