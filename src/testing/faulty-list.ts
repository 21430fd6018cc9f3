/** Listings of a `faultyTarget` that are not what is there. */
import type { ObjectInfo, Target } from '../targets/target.ts'
import type { PlannedFault } from './fault-plan.ts'

/** What there was under a key before each change, so that a listing can be given as it was. */
export class ChangeLog {
  readonly #inner: Target
  readonly #changes: { key: string; before: ObjectInfo | undefined }[] = []

  constructor(inner: Target) {
    this.#inner = inner
  }

  /** Before the change. */
  async note(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#changes.push({ key, before: await this.#inner.stat(key) })
  }

  /** Takes the newest changes back. */
  undo(rows: readonly ObjectInfo[], changes: number, prefix: string): ObjectInfo[] {
    const byKey = new Map(rows.map((row) => [row.key, row]))
    for (const { key, before } of this.#changes.slice(Math.max(0, this.#changes.length - changes)).reverse()) {
      if (before === undefined) byKey.delete(key)
      else if (key.startsWith(prefix)) byKey.set(key, before)
    }
    return [...byKey.values()]
  }
}

export async function* bentList(
  rows: AsyncIterable<ObjectInfo>,
  planned: PlannedFault | undefined,
  { prefix, log }: { prefix: string; log: ChangeLog | undefined },
): AsyncGenerator<ObjectInfo> {
  const fault = planned?.fault
  if (fault === 'stale') yield* log?.undo(await all(rows), planned?.changes ?? 1, prefix) ?? []
  else if (fault === 'truncate' || fault === 'lost-reply') yield* half(await all(rows))
  else if (fault === 'duplicate') yield* doubled(await all(rows))
  else yield* rows
}

async function all(rows: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = []
  for await (const row of rows) found.push(row)
  return found
}

function half(rows: readonly ObjectInfo[]): readonly ObjectInfo[] {
  return rows.slice(0, rows.length >> 1)
}

/** As when an object is written anew between two pages. */
function doubled(rows: readonly ObjectInfo[]): ObjectInfo[] {
  return rows.flatMap((row, i) => (i % 2 === 0 ? [row, { ...row }] : [row]))
}
