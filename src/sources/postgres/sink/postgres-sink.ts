/** Restores into a Postgres server: into a copy that is proved, then made live. */
import { defineSink, type Sink } from '../../sink.ts'
import { type PostgresSinkOptions, sinkSettings } from './options.ts'
import { planRestoreOf } from './plan.ts'
import { PostgresSinkSession } from './session.ts'

/**
 * Where a Postgres snapshot is restored to. The server is that of the connection; the database is `database`, else the
 * one that the connection string names (unless that is postgres or template1), else its name in the snapshot.
 * @throws BackupError INVALID_OPTIONS
 */
export function postgresSink(options: PostgresSinkOptions = {}): Sink {
  const settings = sinkSettings(options)
  return defineSink({
    name: 'postgres',
    open: async (context) => new PostgresSinkSession(settings, context),
    plan: (context, reader) => planRestoreOf(settings, context, reader),
  })
}
