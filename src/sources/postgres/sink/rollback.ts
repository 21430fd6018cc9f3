/** Undoes a run, in its own process or a later one: all that it made is found by the marks. */
import type { PgClient } from '../connection.ts'
import { dropDatabase, type Mark, markedDatabases, scratchName } from './databases.ts'
import { restoreComment, swapBack } from './kept.ts'
import type { SinkSettings } from './options.ts'
import { type Swap, swapDatabases } from './swap.ts'

/** `made`: databases that the run created under their final name, with nothing before them. */
export async function undoRun(
  client: PgClient,
  helper: PgClient,
  runId: string,
  made: readonly string[],
  settings: SinkSettings,
): Promise<void> {
  const mine = (await markedDatabases(client)).filter(({ mark }) => mark.runId === runId)
  for (const kept of mine.filter(({ mark }) => mark.holdfast === 'kept')) {
    const old = scratchAgain(kept.mark)
    await swapDatabases(client, helper, [swapBack(kept, old)], settings)
    await restoreComment(client, kept.mark.database, kept.mark)
    await dropDatabase(client, old.name)
  }
  for (const { name } of mine.filter(({ mark }) => mark.holdfast === 'scratch')) await dropDatabase(client, name)
  for (const name of made) await dropDatabase(client, name)
}

/** What went live becomes a scratch database again, until it is dropped. */
function scratchAgain({ database, runId, at }: Mark): NonNullable<Swap['old']> {
  const note = `A restore of ${database} that was taken back: it may be dropped.`
  return { name: scratchName(database, runId), mark: { holdfast: 'scratch', runId, database, at, note } }
}
