/** What a restore would do to the server, and what would stop it. It changes nothing. */
import type { Warning } from '../../../events.ts'
import type { SinkChange, SinkContext, SinkPlan, SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { tablePath } from '../names.ts'
import { sqlState } from '../pg-error.ts'
import { keyOf, type TableKey } from './bound.ts'
import { databaseExists } from './databases.ts'
import { tablesThere } from './in-place.ts'
import type { SinkSettings } from './options.ts'
import { blockersOf, type Obstacle, warningsOf } from './plan-checks.ts'
import { Sessions } from './sessions.ts'
import { databaseOf, readUnits, type Unit } from './unit.ts'

export async function planRestoreOf(
  settings: SinkSettings,
  context: SinkContext,
  reader: SinkReader,
): Promise<SinkPlan> {
  const units = await readUnits(reader, context, settings)
  await using sessions = new Sessions(settings, context.signal)
  try {
    const targets = units.filter(({ strategy }) => strategy !== 'in-place').map(({ target }) => target)
    const client = await sessions.openMaintenance(targets, databaseOf(settings))
    const plans: UnitPlan[] = []
    for (const unit of units) plans.push(await planUnit(unit, { client, sessions, settings, context }))
    const changes = plans.flatMap((plan) => plan.changes)
    return {
      changes,
      warnings: plans.flatMap((plan) => plan.warnings),
      destructive: changes.some(({ type }) => type === 'replace' || type === 'drop'),
    }
  } catch (error) {
    throw sessions.explain(error)
  }
}

interface UnitPlan {
  changes: SinkChange[]
  warnings: readonly Warning[]
}

export interface PlanTools {
  readonly client: PgClient
  readonly sessions: Sessions
  readonly settings: SinkSettings
  readonly context: SinkContext
}

async function planUnit(unit: Unit, tools: PlanTools): Promise<UnitPlan> {
  const exists = await databaseExists(tools.client, unit.target)
  const inside = exists ? await lookInside(unit, tools) : { tables: new Set<TableKey>(), obstacles: [] }
  const blockers = [...inside.obstacles, ...(await blockersOf(unit, exists, tools))]
  const warnings = await warningsOf(unit, exists, tools)
  const changes = [
    ...blockers.map((blocker) => blocked(unit, blocker)),
    ...tableChanges(unit, inside.tables),
    ...droppedTables(unit, inside.tables),
    ...otherChanges(unit),
  ]
  return { changes, warnings }
}

/** Tables of the live database. That it cannot be looked into is an obstacle only where it is written to. */
async function lookInside(
  unit: Unit,
  { sessions }: PlanTools,
): Promise<{ tables: Set<TableKey>; obstacles: Obstacle[] }> {
  try {
    const client = await sessions.open(unit.target)
    const tables = await tablesThere(client)
    const obstacles = unit.strategy === 'in-place' ? await otherColumns(client, unit, tables) : []
    await sessions.close(client)
    return { tables, obstacles }
  } catch (error) {
    if (unit.strategy !== 'in-place') return { tables: new Set(), obstacles: [] }
    const reason = `cannot connect to ${unit.target}: ${(error as Error).message}`
    return { tables: new Set(), obstacles: [{ reason, details: { sqlState: sqlState(error) ?? '' } }] }
  }
}

/** A table that is there must have the columns of the snapshot. */
async function otherColumns(client: PgClient, unit: Unit, there: ReadonlySet<TableKey>): Promise<Obstacle[]> {
  const obstacles: Obstacle[] = []
  for (const { target, columns } of unit.database.tables) {
    if (!there.has(keyOf(target))) continue
    const { rows } = await client.query<{ name: string }>(
      `SELECT a.attname AS name FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''`,
      [target.schema, target.name],
    )
    const missing = columns.filter((column) => !rows.some(({ name }) => name === column))
    if (missing.length > 0)
      obstacles.push({ reason: `${target.schema}.${target.name} has no column ${missing.join(', ')}` })
  }
  return obstacles
}

function blocked(unit: Unit, { reason }: Obstacle): SinkChange {
  return { path: `${unit.database.prefix}pg_dump/pre-data.sql`, to: unit.target, type: 'blocked', bytes: 0, reason }
}

function tableChanges(unit: Unit, there: ReadonlySet<TableKey>): SinkChange[] {
  return unit.database.tables.map(({ entry, target, bytes }) => ({
    path: entry.path,
    to: `${unit.target}: ${target.schema}.${target.name}`,
    type: there.has(keyOf(target)) ? 'replace' : 'create',
    bytes,
  }))
}

/** With a whole database, what is not in the snapshot goes: it stays in the database that is kept. */
function droppedTables(unit: Unit, there: ReadonlySet<TableKey>): SinkChange[] {
  if (unit.strategy === 'in-place') return []
  const restored = new Set(unit.database.tables.map(({ target }) => keyOf(target)))
  return [...there]
    .filter((key) => !restored.has(key))
    .map((key) => {
      const [schema = '', name = ''] = key.split('\0')
      const path = tablePath(unit.database.prefix, schema, name)
      return {
        path,
        to: `${unit.target}: ${schema}.${name}`,
        type: 'drop',
        bytes: 0,
        reason: 'it is not in the snapshot',
      }
    })
}

function otherChanges({ database, target }: Unit): SinkChange[] {
  const entries = [...database.others, ...database.largeObjects]
  return entries.map(({ path, size }) => ({ path, to: target, type: 'create', bytes: size }))
}
