/** A database of a snapshot as one SQL script for psql: the dump that every Postgres user can load. */
import { Readable } from 'node:stream'
import { encodeName } from './names.ts'

/** The part of a `BackupEngine` that this needs. */
export interface ReadingEngine<Ref> {
  read(options: { snapshot: Ref; path: string; signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>
}

export interface PlainDumpOptions<Ref = string> {
  snapshot: Ref
  /** Name of the source. */
  source: string
  /** Where the source holds several databases: which one. */
  database?: string
  signal?: AbortSignal
}

const INCLUDE = /^\\ir (.+)$/
/** Greedy: names of tables may hold anything, in the file's name each quote is doubled. */
const COPY = /^\\copy (.+) from '((?:[^']|'')*)'( WITH \([^()]*\))?$/

/**
 * Like `pg_dump`'s plain output: schema, rows, large objects, sequences, indexes and constraints. Load it with
 * `psql --set=ON_ERROR_STOP=1 --dbname=NEW --file=…` into a database made from template0. Streamed: memory stays small.
 * @throws BackupError ENTRY_NOT_FOUND (in the stream): no such source or database, or made with `mode: 'pg_dump'`, which
 * has a dump already (`pg_dump/database.dump`)
 */
export function plainDump<Ref>(engine: ReadingEngine<Ref>, options: PlainDumpOptions<Ref>): Readable {
  return Readable.from(dump(engine, options), { objectMode: false, highWaterMark: 1024 * 1024 })
}

async function* dump<Ref>(
  engine: ReadingEngine<Ref>,
  { snapshot, source, database, signal }: PlainDumpOptions<Ref>,
): AsyncGenerator<Uint8Array> {
  const root = database === undefined ? source : `${source}/${encodeName(database)}`
  const read = (path: string): Promise<AsyncIterable<Uint8Array>> =>
    engine.read({ snapshot, path: `${root}/${path}`, ...(signal && { signal }) })
  const script = await textOf(await read('pg_dump/restore.sql'))
  for (const line of script.split('\n')) yield* expanded(line, read)
}

/** The script as it is kept names files of a folder; here their content takes their place. */
async function* expanded(
  line: string,
  read: (path: string) => Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<Uint8Array> {
  const included = INCLUDE.exec(line)
  if (included) return yield* await read(fromScripts(included[1]!))
  const copied = COPY.exec(line)
  if (!copied) return yield bytes(`${line}\n`)
  yield bytes(`COPY ${copied[1]} FROM stdin${copied[3] ?? ''};\n`)
  yield* await read(copied[2]!.replaceAll("''", "'"))
  yield bytes('\\.\n\n')
}

/** `\ir` goes from the folder of the script itself. */
function fromScripts(path: string): string {
  return path.startsWith('../') ? path.slice(3) : `pg_dump/${path}`
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all).toString('utf8')
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
