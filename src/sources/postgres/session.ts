/** One reading of a server: all its databases at one moment, as entries in path order. */
import type { Json } from '../../errors.ts'
import { linkAbort, throwIfAborted } from '../../util/abort.ts'
import { comparePaths, userToLatin1 } from '../../util/paths.ts'
import type { SourceContext, SourceEntry, SourceSession } from '../source.ts'
import { listDatabases, readServerFacts, type ServerFacts } from './catalog/server.ts'
import { judgeUnfitting } from './catalog/unfitting.ts'
import { Connector, withClient } from './connect.ts'
import { decodeStates } from './database-state.ts'
import { DumpRunner } from './dump-client.ts'
import { type DumpClient, dumpClients, findDumpClient } from './dump-client-find.ts'
import { encodeName } from './names.ts'
import type { PostgresSettings } from './options.ts'
import { pgError } from './pg-error.ts'
import { ReadContext } from './read-context.ts'
import { DatabaseReading, emptyDatabase } from './reading.ts'
import { restrictKey } from './restrict-key.ts'
import { Lead } from './snapshot-lead.ts'
import { Throttle } from './throttle.ts'

const BATCH = 1000

export class PostgresSession implements SourceSession {
  readonly concurrency: number
  readonly #settings: PostgresSettings
  readonly #context: SourceContext
  readonly #connector: Connector
  readonly #abort: ReturnType<typeof linkAbort>
  readonly #startedAt = new Date()
  readonly #warnings: Json[] = []
  readonly #leads: Lead[] = []
  readonly #readings: DatabaseReading[] = []
  #runner: DumpRunner | undefined
  #server: ServerFacts | undefined
  #ending: Promise<void> = Promise.resolve()

  private constructor(settings: PostgresSettings, context: SourceContext) {
    this.concurrency = settings.jobs
    this.#settings = settings
    this.#context = context
    this.#connector = new Connector(settings.connection, 'source')
    this.#abort = linkAbort(context.signal)
    this.#abort.signal.addEventListener('abort', () => void this.#end().catch(() => {}), { once: true })
  }

  static async open(settings: PostgresSettings, context: SourceContext): Promise<PostgresSession> {
    const session = new PostgresSession(settings, context)
    try {
      await session.#open()
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throwIfAborted(context.signal)
      throw pgError(error, 'source', 'cannot open the database')
    }
  }

  async #open(): Promise<void> {
    const { signal } = this.#abort
    const clients = this.#needsClient ? dumpClients(this.#settings.binDir, signal) : undefined
    const databases = await this.#findDatabases().catch(async (error: unknown) => {
      // These are processes, and must not outlive the session.
      this.#abort.abort(error)
      await clients
      throw error
    })
    await clients
    throwIfAborted(signal)
    if (clients !== undefined) await this.#prepareClient(clients)
    // One failure must not leave the others opening behind our back.
    await allSettledOrThrow(
      databases.map(async ({ database }, index) => {
        this.#leads[index] = await Lead.open(this.#connector, database, this.#settings, this.#runner, signal)
      }),
    )
    await allSettledOrThrow(this.#leads.map((lead) => lead.lock()))
    await allSettledOrThrow(this.#leads.map((lead) => lead.export()))
    judgeUnfitting(
      this.#leads.map((lead) => lead.selection.unfitting),
      (one) => this.#warn(one),
    )
    const states = decodeStates(this.#context.parent?.facts)
    const throttle = new Throttle(this.#settings.bytesPerSecond, signal)
    for (const [index, lead] of this.#leads.entries()) {
      const previous = states.get(lead.client.database ?? '')
      const parts = {
        settings: this.#settings,
        connector: this.#connector,
        runner: this.#runner,
        previous: previous?.tables,
        incremental: previous?.incremental,
        signal,
        throttle,
      }
      const context = new ReadContext({ ...parts, jobs: this.#jobs(databases.length), warn: (one) => this.#warn(one) })
      this.#readings.push(await DatabaseReading.open(lead, databases[index]!.prefix, context, this.#server!))
    }
  }

  async #findDatabases(): Promise<{ database: string | undefined; prefix: string }[]> {
    const { databases } = this.#settings
    const first = Array.isArray(databases) ? (databases[0] as string) : undefined
    return await withClient(
      this.#connector,
      first,
      async (client) => {
        this.#server = await readServerFacts(client)
        const names = databases === 'all' ? await listDatabases(client) : (databases ?? [client.database!])
        const alone = databases !== 'all' && names.length === 1
        return names.map((database) => ({ database, prefix: alone ? '' : `${encodeName(database)}/` }))
      },
      this.#abort.signal,
    )
  }

  get #needsClient(): boolean {
    return !this.#settings.dataOnly || this.#settings.mode !== 'copy'
  }

  async #prepareClient(clients: Promise<readonly DumpClient[]>): Promise<void> {
    const major = Math.trunc(this.#server!.versionNum / 10_000)
    const client = await findDumpClient(major, this.#settings.binDir, clients)
    this.#runner = new DumpRunner(client, this.#connector.address, this.#restrictKey)
    await this.#runner.prepare()
  }

  /** A pool that is smaller than the jobs would leave them waiting for one another. */
  #jobs(databases: number): number {
    return Math.max(0, Math.min(this.#settings.jobs, this.#connector.limit - databases))
  }

  #warn(warning: Parameters<SourceContext['warn']>[0]): void {
    this.#warnings.push({ code: warning.code, message: warning.message })
    this.#context.warn(warning)
  }

  get #restrictKey(): string {
    return restrictKey(this.#settings, this.#context.parent?.facts)
  }

  async *entries(): AsyncGenerator<readonly SourceEntry[], void, undefined> {
    const keyed = this.#readings.flatMap(({ entries }) =>
      entries.map((entry) => ({ entry, key: userToLatin1(entry.path) })),
    )
    keyed.sort((a, b) => comparePaths(a.key, b.key))
    for (let at = 0; at < keyed.length; at += BATCH) {
      throwIfAborted(this.#context.signal)
      yield keyed.slice(at, at + BATCH).map(({ entry }) => entry)
    }
  }

  async totals(): Promise<{ items: number; bytes: number; rows: number }> {
    const items = this.#readings.reduce((sum, { entries }) => sum + entries.length, 0)
    const rows = this.#readings.reduce((sum, reading) => sum + reading.expectedRows, 0)
    return { items, bytes: this.#readings.reduce((sum, reading) => sum + reading.expectedBytes, 0), rows }
  }

  /** @throws BackupError SOURCE_EMPTY, SOURCE_SHRUNK */
  async describe(): Promise<Readonly<Record<string, Json>>> {
    const described = await Promise.all(this.#readings.map((reading) => reading.describe()))
    const { failOnEmpty, mode, schemaOnly } = this.#settings
    if (failOnEmpty && mode === 'copy' && !schemaOnly && described.every(({ rows }) => rows === 0)) {
      throw emptyDatabase(this.#leads.map(({ client }) => client.database ?? ''))
    }
    return {
      format: 1,
      mode,
      server: { ...this.#server! },
      client: this.#runner === undefined ? null : { version: this.#runner.client.version },
      ...(this.#runner === undefined ? {} : { restrictKey: this.#restrictKey }),
      startedAt: this.#startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      databases: described.map(({ facts }) => facts),
      warnings: this.#warnings,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
    this.#abort.dispose()
  }

  /** Also on abort, at once, whoever still waits for what; then once more at the end, for what was being opened meanwhile. */
  #end(): Promise<void> {
    const end = (): Promise<void> => this.#endAll()
    this.#ending = this.#ending.then(end, end)
    return this.#ending
  }

  async #endAll(): Promise<void> {
    // Its children are killed first: a server that does not answer must not keep them running.
    const disposed = this.#runner?.dispose()
    await Promise.allSettled(this.#readings.map((reading) => reading.close()))
    await Promise.all([disposed, ...this.#leads.map((lead) => lead?.close())])
  }
}

async function allSettledOrThrow(tasks: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(tasks)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
