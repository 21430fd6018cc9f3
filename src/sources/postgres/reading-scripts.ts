/** What pg_dump and pg_dumpall write, as entries. */
import type { SourceEntry } from '../source.ts'
import { withoutTime } from './archive-head.ts'
import { archiveArguments, globalsArguments, sectionArguments } from './dump-client-args.ts'
import { pgError } from './pg-error.ts'
import type { ReadContext } from './read-context.ts'
import { cutSchema } from './schema-cut.ts'
import { SchemaHash } from './schema-hash.ts'
import type { Lead } from './snapshot-lead.ts'

type Bytes = AsyncGenerator<Uint8Array, void, undefined>

const PIECE_BYTES = 256 * 1024

/** Of the plain schema: before and after the data. */
export type SchemaHashes = readonly SchemaHash[]

export function textEntry(path: string, text: string): SourceEntry {
  return { path, type: 'script', content: { from: 'bytes', bytes: new TextEncoder().encode(text) } }
}

export function schemaEntries(
  lead: Lead,
  prefix: string,
  context: ReadContext,
): { entries: SourceEntry[]; hashes: SchemaHashes } {
  const { draft } = lead
  const { runner, settings } = context.parts
  if (draft === undefined || runner === undefined) return { entries: [], hashes: [] }
  const pre = new SchemaHash()
  const post = new SchemaHash()
  const section = (name: Parameters<typeof sectionArguments>[1]): Bytes =>
    runner.start('pg_restore', sectionArguments(settings, name), { input: draft.archive }).read()
  const script = (name: string, read: () => Bytes): SourceEntry =>
    streamEntry(`${prefix}pg_dump/${name}`, context, read)
  const entries = [
    script('pre-data.sql', () => cutSchema(hashed(section('pre-data'), pre), 'early')),
    script('post-data.sql', () => cutSchema(hashed(section('post-data'), post), 'early')),
    script('privileges.sql', () => cutSchema(section('both'), 'late')),
    script('schema.dump', () => withoutTime(copied(draft.archive))),
  ]
  return { entries, hashes: [pre, post] }
}

export function archiveEntries(lead: Lead, prefix: string, context: ReadContext): SourceEntry[] {
  const { runner, settings } = context.parts
  const { database } = lead.client
  const child = runner!.start('pg_dump', archiveArguments(settings, lead.snapshot.id), { database })
  const entry = streamEntry(`${prefix}pg_dump/database.dump`, context, () => withoutTime(child.read()))
  return [{ ...entry, content: { ...entry.content, chunks: 'table' } as SourceEntry['content'] & {} }]
}

export function globalsEntry(lead: Lead, prefix: string, context: ReadContext): SourceEntry[] {
  const { runner, settings } = context.parts
  if (runner === undefined || settings.globals === 'none') return []
  const child = runner.start('pg_dumpall', globalsArguments(settings, lead.client.database ?? 'postgres'))
  return [streamEntry(`${prefix}pg_dump/globals.sql`, context, () => child.read())]
}

function streamEntry(path: string, context: ReadContext, read: () => Bytes): SourceEntry {
  return {
    path,
    type: 'script',
    content: {
      from: 'stream',
      open: ({ signal }) => context.guard(signal, read, (error) => pgError(error, 'source', `cannot write ${path}`)),
    },
  }
}

async function* hashed(pieces: Bytes, hash: SchemaHash): Bytes {
  for await (const piece of pieces) {
    hash.push(piece)
    yield piece
  }
}

/** What is yielded is given away. */
async function* copied(bytes: Uint8Array): Bytes {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield new Uint8Array(bytes.subarray(at, at + PIECE_BYTES))
}
