/** One restore into one server. */
import type { Json } from '../../../errors.ts'
import { BackupError } from '../../../errors.ts'
import type { SinkContext, SinkReader, SinkSession } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { createDatabase } from './create-database.ts'
import { databaseExists, dropDatabase, keptName, locked, type Mark, markDatabase, scratchName } from './databases.ts'
import { fillDatabase } from './fill-database.ts'
import { createRoles, dropRoles } from './globals.ts'
import { fillInPlace } from './in-place.ts'
import { dropScratch, keptMark, keptOf } from './kept.ts'
import { readScript } from './objects.ts'
import type { SinkSettings } from './options.ts'
import { propertiesOfFacts, readProperties } from './properties.ts'
import { proveCounts, proveHashes, runChecks } from './prove.ts'
import { undoRun } from './rollback.ts'
import { Sessions } from './sessions.ts'
import { type Swap, swapDatabases } from './swap.ts'
import { databaseOf, readUnits, type Unit } from './unit.ts'

/** A unit on its way. */
interface Work {
  readonly unit: Unit
  /** Database that is filled: a scratch one, or the live one itself. */
  readonly database: string
  readonly client: PgClient
  /** Database that was live before, once the names are exchanged. */
  kept?: string | null
}

export class PostgresSinkSession implements SinkSession {
  readonly #settings: SinkSettings
  readonly #context: SinkContext
  readonly #sessions: Sessions
  #maintenance: PgClient | undefined
  #work: Work[] = []
  #roles: string[] = []
  /** Targets whose scratch database may be there, or be in the making on a connection that was broken off. */
  readonly #begun = new Set<string>()
  #state: 'open' | 'committed' | 'undone' = 'open'

  constructor(settings: SinkSettings, context: SinkContext) {
    this.#settings = settings
    this.#context = context
    this.#sessions = new Sessions(settings, context.signal)
  }

  async write(): Promise<void> {
    throw new BackupError('INTERNAL', 'this sink pulls', { origin: 'sink' })
  }

  async pull(reader: SinkReader): Promise<void> {
    const units = await readUnits(reader, this.#context, this.#settings)
    await this.#explained(async () => {
      if (this.#settings.globals) await this.#createRoles(units, reader)
      for (const unit of units) await this.#pullUnit(unit, reader)
    })
  }

  async #createRoles(units: readonly Unit[], reader: SinkReader): Promise<void> {
    const client = await this.#openMaintenance(units)
    for (const { database } of units) {
      const statements = await readScript(reader, `${database.prefix}pg_dump/globals.sql`)
      this.#roles.push(...(await createRoles(client, statements, this.#context.warn)))
    }
  }

  async #pullUnit(unit: Unit, reader: SinkReader): Promise<void> {
    const { warn } = this.#context
    const settings = this.#settings
    if (unit.strategy === 'in-place') {
      const client = await this.#sessions.open(unit.target)
      this.#work.push({ unit, database: unit.target, client })
      return await fillInPlace({ unit, client, reader, settings, warn })
    }
    const work = await this.#createScratch(unit)
    this.#work.push(work)
    const clients = [work.client]
    while (clients.length < settings.jobs) clients.push(await this.#sessions.openForLoading(work.database, unit.pins))
    await fillDatabase({ unit, clients, reader, settings, warn, ordered: this.#provesHashes() })
    for (const client of clients.slice(1)) await this.#sessions.close(client)
  }

  /** Named, marked and connected to before another restore may look for what nobody works on. */
  async #createScratch(unit: Unit): Promise<Work> {
    const maintenance = await this.#openMaintenance([unit])
    const { target } = unit
    if (unit.strategy === 'new-database') await this.#refuseTaken(maintenance, target)
    await dropScratch(maintenance, target)
    const database = scratchName(target, this.#context.runId)
    const live = await readProperties(maintenance, target)
    this.#begun.add(target)
    const client = await locked(maintenance, async () => {
      await dropDatabase(maintenance, database)
      await createDatabase(maintenance, database, unit.database.facts, live?.tablespace ?? undefined)
      await markDatabase(maintenance, database, scratchMark(target, this.#context.runId))
      return await this.#sessions.openForLoading(database, unit.pins)
    })
    return { unit, database, client }
  }

  async #refuseTaken(client: PgClient, target: string): Promise<void> {
    if (this.#settings.dropExisting || !(await databaseExists(client, target))) return
    throw new BackupError('RESTORE_CONFLICT', `database ${target} exists already`, {
      origin: 'sink',
      hint: 'Choose another name, pass dropExisting, or use the strategy scratch-swap',
      details: { database: target },
    })
  }

  async prepare(): Promise<void> {
    await this.#explained(async () => {
      for (const work of this.#work) await this.#prove(work)
    })
  }

  async #prove({ unit, client }: Work): Promise<void> {
    const { schemaOnly, checks } = this.#settings
    const inPlace = unit.strategy === 'in-place'
    if (!schemaOnly) await proveCounts(client, unit.database.tables)
    if (!schemaOnly && this.#provesHashes()) {
      await proveHashes(client, unit.database.tables, unit.pins, inPlace)
    }
    await runChecks(client, checks, inPlace)
  }

  #provesHashes(): boolean {
    return this.#settings.check === 'hashes' || this.#context.drill === true
  }

  async commit(): Promise<void> {
    await this.#explained(async () => {
      const inPlace = this.#work.filter(({ unit }) => unit.strategy === 'in-place')
      await this.#swap(this.#work.filter((work) => !inPlace.includes(work)))
      if (inPlace.length > 0) this.#sessions.ignoreAbort()
      for (const { client } of inPlace) await client.query('COMMIT')
    })
    this.#state = 'committed'
  }

  async #swap(works: readonly Work[]): Promise<void> {
    if (works.length === 0) return
    const client = await this.#openMaintenance(works.map((work) => work.unit))
    const helper = await this.#sessions.openMaintenance(
      works.map((work) => work.unit.target),
      databaseOf(this.#settings),
    )
    for (const work of works) await this.#sessions.close(work.client)
    const swaps: Swap[] = []
    for (const work of works) swaps.push(await this.#swapOf(work, client))
    // It looks at the signal itself, between its attempts.
    this.#sessions.ignoreAbort()
    const { signal, warn } = this.#context
    await swapDatabases(client, helper, swaps, { ...this.#settings, signal, warn })
    for (const [at, work] of works.entries()) work.kept = swaps[at]?.old?.name ?? null
    await this.#sessions.close(helper)
  }

  async #swapOf({ unit, database }: Work, client: PgClient): Promise<Swap> {
    const live = await readProperties(client, unit.target)
    if (unit.strategy === 'new-database') await this.#refuseTaken(client, unit.target)
    const properties = live ?? propertiesOfFacts(unit.database.facts)
    if (live === null) return { next: database, live: unit.target, properties, old: null }
    const { runId } = this.#context
    const now = new Date()
    const keepMs = unit.strategy === 'new-database' ? 0 : this.#settings.keepOldMs
    const mark = keptMark(unit.target, runId, now, keepMs, live.comment)
    return { next: database, live: unit.target, properties, old: { name: keptName(unit.target, now, runId), mark } }
  }

  async rollback(): Promise<void> {
    const inPlace = this.#work.some(({ unit }) => unit.strategy === 'in-place')
    await this.#sessions.closeAll()
    this.#maintenance = undefined
    if (this.#state === 'committed' && inPlace) throw cannotUndo()
    // The restore's own signal may be what ended it.
    await using sessions = new Sessions(this.#settings)
    const targets = [...this.#begun, ...this.#work.map(({ unit }) => unit.target)]
    const client = await sessions.openMaintenance(targets, databaseOf(this.#settings))
    const helper = await sessions.openMaintenance(targets, databaseOf(this.#settings))
    const made = this.#work.filter(({ kept }) => kept === null).map(({ unit }) => unit.target)
    await undoRun(client, helper, this.#context.runId, made, this.#settings)
    for (const target of this.#begun) await dropScratch(client, target, this.#context.runId)
    await dropRoles(client, this.#roles.splice(0))
    this.#work = []
    this.#state = 'undone'
  }

  where(): Json {
    return this.#work.map(({ unit, database, kept }) => ({
      database: this.#state === 'committed' ? unit.target : database,
      from: unit.database.name,
      strategy: unit.strategy,
      tables: unit.database.tables.length,
      ...(typeof kept === 'string' ? { kept } : {}),
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#state === 'committed') await this.#dropExpired()
    } finally {
      await this.#sessions[Symbol.asyncDispose]()
    }
  }

  /** Only what this sink has put aside itself, of the same databases. */
  async #dropExpired(): Promise<void> {
    const swapped = this.#work.filter(({ unit }) => unit.strategy !== 'in-place').map(({ unit }) => unit)
    if (swapped.length === 0) return
    const client = await this.#openMaintenance(swapped)
    const now = new Date().toISOString()
    for (const { target } of swapped) {
      const expired = (await keptOf(client, target)).filter(({ mark }) => mark.until !== undefined && mark.until <= now)
      for (const { name } of expired) await dropDatabase(client, name)
      await dropScratch(client, target)
    }
  }

  async #openMaintenance(units: readonly Unit[]): Promise<PgClient> {
    const targets = units.map((unit) => unit.target)
    this.#maintenance ??= await this.#sessions.openMaintenance(targets, databaseOf(this.#settings))
    return this.#maintenance
  }

  async #explained(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw this.#sessions.explain(error)
    }
  }
}

function scratchMark(database: string, runId: string): Mark {
  const note = `A restore of ${database} that is under way, or was killed: then it may be dropped.`
  return { holdfast: 'scratch', runId, database, at: new Date().toISOString(), note }
}

function cannotUndo(): BackupError {
  return new BackupError('UNSUPPORTED', 'a restore in place cannot be taken back once it is committed', {
    origin: 'sink',
    hint: 'Restore the snapshot that was taken before it',
  })
}
