/** What about the server, or the way to it, endangers a backup. */
import { type Check, nameList, namesCheck } from './check.ts'

/** A pooler hands out process ids of its own; the server tells its real one. */
const pooler: Check = async ({ client }) => {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
  if (client.processID === rows[0]!.pid) return []
  return [
    {
      code: 'POOLER',
      severity: 'warning',
      message: 'This connection goes through a pooler, such as PgBouncer.',
      fix: "Connect to the server itself: a pooler's limits on connections, time and settings can end a backup half-way.",
    },
  ]
}

const standby: Check = async ({ client }) => {
  const { rows } = await client.query<{ standby: boolean; delay: string }>(
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
            pg_catalog.current_setting('max_standby_streaming_delay') AS delay`,
  )
  const { standby: isStandby, delay } = rows[0]!
  if (!isStandby) return []
  return [
    {
      code: 'STANDBY',
      severity: 'warning',
      message: `This server is a standby: what the primary cleans up can cancel a long read (max_standby_streaming_delay is ${delay}).`,
      fix: 'Set hot_standby_feedback = on, or raise max_standby_streaming_delay there.',
      details: { maxStandbyStreamingDelay: delay },
    },
  ]
}

const prepared = namesCheck(
  `SELECT gid AS name FROM pg_catalog.pg_prepared_xacts
   WHERE database = current_database() AND prepared < now() - interval '1 second' ORDER BY prepared`,
  (names) => ({
    code: 'PREPARED_TRANSACTION',
    severity: 'warning',
    message: `Prepared transactions wait for COMMIT PREPARED: ${nameList(names)}. Their changes are in no backup, and their locks can block one.`,
    fix: 'COMMIT PREPARED or ROLLBACK PREPARED them.',
  }),
)

const databaseCollation = namesCheck(
  `SELECT datname AS name FROM pg_catalog.pg_database
   WHERE datname = current_database() AND datcollversion IS NOT NULL
     AND datcollversion <> pg_catalog.pg_database_collation_actual_version(oid)`,
  (names) => ({
    code: 'COLLATION_DRIFT',
    severity: 'warning',
    message: `The collation of database ${nameList(names)} is another version than its indexes were built with: they may be corrupt.`,
    fix: 'REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.',
  }),
  150000,
)

const collations = namesCheck(
  `SELECT pg_catalog.format('%I.%I', n.nspname, c.collname) AS name
   FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
   WHERE c.collversion IS NOT NULL AND c.collversion <> pg_catalog.pg_collation_actual_version(c.oid)
     AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_collation'::regclass
                 AND d.refobjid = c.oid) ORDER BY 1`,
  (names) => ({
    code: 'COLLATION_DRIFT',
    severity: 'warning',
    message: `Collations in use have another version than when indexes were built with them: ${nameList(names)}.`,
    fix: 'Rebuild the indexes that use them (REINDEX), then ALTER COLLATION … REFRESH VERSION.',
  }),
)

const invalidIndexes = namesCheck(
  `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
   FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT i.indisvalid AND n.nspname NOT LIKE 'pg\\_%' AND c.relkind = 'i' ORDER BY 1`,
  (names) => ({
    code: 'INVALID_INDEX',
    severity: 'warning',
    message: `Invalid indexes would be built anew by a restore, which fails where a unique one does not hold: ${nameList(names)}.`,
    fix: 'REINDEX or drop them.',
  }),
)

/** Their tables are not plain tables: chunks, shards, catalogues of their own. */
const special = namesCheck(
  `SELECT extname AS name FROM pg_catalog.pg_extension
   WHERE extname IN ('timescaledb', 'citus', 'orioledb', 'pglogical') ORDER BY 1`,
  (names) => ({
    code: 'SPECIAL_STORAGE',
    severity: 'warning',
    message: `Extensions that keep tables in their own way: ${nameList(names)}.`,
    fix: "Back up with mode: 'pg_dump', and follow the extension's manual for the restore.",
  }),
)

/** Every table is locked at once, so the shared lock table must hold them all. */
const locks: Check = async ({ client }) => {
  const { rows } = await client.query<{ tables: string; slots: string }>(
    `SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'm', 'S', 'i') AND relnamespace NOT IN
               (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'pg\\_%'))::text AS tables,
            (pg_catalog.current_setting('max_locks_per_transaction')::int * (
              pg_catalog.current_setting('max_connections')::int
              + pg_catalog.current_setting('max_prepared_transactions')::int))::text AS slots`,
  )
  const [tables, slots] = [Number(rows[0]!.tables), Number(rows[0]!.slots)]
  if (tables <= slots) return []
  return [
    {
      code: 'LOCK_TABLE_SMALL',
      severity: 'warning',
      message: `A backup locks all tables at once (${tables} with their indexes), and the server has room for about ${slots} locks.`,
      fix: 'Raise max_locks_per_transaction on the server.',
      details: { relations: tables, slots },
    },
  ]
}

export const SERVER_CHECKS: readonly Check[] = [
  pooler,
  standby,
  prepared,
  databaseCollation,
  collations,
  invalidIndexes,
  special,
  locks,
]
