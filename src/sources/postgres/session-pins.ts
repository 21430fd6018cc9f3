/** Settings that every transaction of ours pins, so that the same rows always read as the same bytes. */
import { quoteLiteral } from './names.ts'

export interface Pins {
  /** Of the database. SQL_ASCII means bytes of no known encoding, which must pass as they are. */
  readonly encoding: string
  /** How amounts of type money are printed and read; undefined: as the server is set. Snapshots say what they were read with. */
  readonly monetary?: string | undefined
  readonly lockWaitTimeoutMs?: number
  readonly statementTimeoutMs?: number
}

/** One that every server has, and that prints amounts alike everywhere. */
export const MONETARY = 'C'

/**
 * The database's own encoding, where rows are copied in it: some of its bytes may have no UTF-8 form (0x81 in WIN1252). Names
 * and scripts are UTF-8 nevertheless. Undefined where the encoding of the session is that one anyway.
 */
export function rowEncoding(encoding: string): string | undefined {
  return encoding === 'UTF8' || encoding === 'SQL_ASCII' ? undefined : encoding
}

/** Statements for the beginning of a transaction: SET LOCAL, so that a pool gets its connection back as it was. */
export function sessionPins(pins: Pins): string {
  const settings: Record<string, string> = {
    // A limited role would otherwise get some of the rows, without an error.
    row_security: 'off',
    // A scan that joins another one half-way begins in the middle of the table.
    synchronize_seqscans: 'off',
    TimeZone: 'UTC',
    DateStyle: 'ISO, YMD',
    IntervalStyle: 'postgres',
    extra_float_digits: '3',
    bytea_output: 'hex',
    xmloption: 'content',
    // Off, a null in an array would be read in as the text 'NULL'.
    array_nulls: 'on',
    standard_conforming_strings: 'on',
    search_path: '',
    client_encoding: pins.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8',
    statement_timeout: String(pins.statementTimeoutMs ?? 0),
    lock_timeout: String(pins.lockWaitTimeoutMs ?? 0),
    idle_in_transaction_session_timeout: '0',
    // Compiling a query that only copies costs more than it gives.
    jit: 'off',
    ...(pins.monetary !== undefined && { lc_monetary: pins.monetary }),
  }
  return Object.entries(settings)
    .map(([name, value]) => `SET LOCAL ${name} = ${quoteLiteral(value)};`)
    .join(' ')
}
