/** What pg_dump and pg_dumpall write, as entries. */
import type { SourceEntry } from '../source.ts'
import { withoutTime } from './archive-head.ts'
import type { DumpChild } from './dump-client.ts'
import { archiveArguments, globalsArguments } from './dump-client-args.ts'
import { pgError } from './pg-error.ts'
import type { ReadContext } from './read-context.ts'
import { cutSchema } from './schema-cut.ts'
import { SchemaHash } from './schema-hash.ts'
import type { Lead } from './snapshot-lead.ts'

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
  if (draft === undefined) return { entries: [], hashes: [] }
  const pre = new SchemaHash()
  const post = new SchemaHash()
  const entries = [
    childEntry(`${prefix}pg_dump/pre-data.sql`, draft.preData, context, (child) =>
      cutSchema(hashed(child, pre), 'early'),
    ),
    childEntry(`${prefix}pg_dump/post-data.sql`, draft.postData, context, (child) =>
      cutSchema(hashed(child, post), 'early'),
    ),
    childEntry(`${prefix}pg_dump/privileges.sql`, draft.whole, context, (child) => cutSchema(child.read(), 'late')),
    childEntry(`${prefix}pg_dump/schema.dump`, draft.archive, context, (child) => withoutTime(child.read())),
  ]
  return { entries, hashes: [pre, post] }
}

export function archiveEntries(lead: Lead, prefix: string, context: ReadContext): SourceEntry[] {
  const { runner, settings } = context.parts
  const child = runner!.start('pg_dump', archiveArguments(settings, lead.snapshot.id), lead.client.database)
  const entry = childEntry(`${prefix}pg_dump/database.dump`, child, context, (one) => withoutTime(one.read()))
  return [{ ...entry, content: { ...entry.content, chunks: 'table' } as SourceEntry['content'] & {} }]
}

export function globalsEntry(lead: Lead, prefix: string, context: ReadContext): SourceEntry[] {
  const { runner, settings } = context.parts
  if (runner === undefined || settings.globals === 'none') return []
  const child = runner.start('pg_dumpall', globalsArguments(settings, lead.client.database ?? 'postgres'), undefined)
  return [childEntry(`${prefix}pg_dump/globals.sql`, child, context)]
}

function childEntry(
  path: string,
  child: DumpChild,
  context: ReadContext,
  read: (child: DumpChild) => AsyncGenerator<Uint8Array, void, undefined> = (one) => one.read(),
): SourceEntry {
  return {
    path,
    type: 'script',
    content: {
      from: 'stream',
      open: ({ signal }) =>
        context.guard(
          signal,
          () => read(child),
          (error) => pgError(error, 'source', `cannot write ${path}`),
        ),
    },
  }
}

async function* hashed(child: DumpChild, hash: SchemaHash): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of child.read()) {
    hash.push(piece)
    yield piece
  }
}
