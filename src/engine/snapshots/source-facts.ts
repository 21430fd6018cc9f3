/** What a snapshot recorded about a source, wherever it lies: in the snapshot, or in a chunk where it is large. */
import type { Json } from '../../errors.ts'
import { BackupError } from '../../errors.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { Session } from '../../workers/threads/rpc.ts'

export type SourceFacts = Readonly<Record<string, Json>>

/** A `Reading`, or what else can open a worker session that has the index as it is now. */
export interface FactsReading {
  open(service: 'browse'): Promise<Session>
}

/**
 * The facts of a source of a snapshot. Costs nothing where they lie in the snapshot; else one chunk is read.
 * @throws BackupError OBJECT_MISSING, OBJECT_CORRUPT and what reading from the target throws
 */
export async function loadFacts(reading: FactsReading, source: SnapshotSourceRecord): Promise<SourceFacts> {
  const { factsRef } = source
  if (!factsRef) return source.facts
  const session = await reading.open('browse')
  try {
    const id = new Uint8Array(Buffer.from(factsRef.id, 'base64url'))
    const bytes = await session.call<Uint8Array>('chunk', { id, bytes: factsRef.rawBytes })
    return parseFacts(source.name, bytes)
  } finally {
    await session.close()
  }
}

function parseFacts(source: string, bytes: Uint8Array): SourceFacts {
  try {
    const facts: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof facts === 'object' && facts !== null && !Array.isArray(facts)) return facts as SourceFacts
  } catch {
    // said below
  }
  throw new BackupError('OBJECT_CORRUPT', `The facts of source ${source} are not a JSON object.`, {
    origin: 'repository',
    details: { source },
  })
}
