/** What the suites for sources and sinks share: reading the content of an entry in each of the forms it may have. */
import { readFile } from 'node:fs/promises'
import type { EntryContent, SourceEntry, SourceSession } from '../sources/source.ts'
import { userToLatin1 } from '../util/paths.ts'

/** The pieces as they were given. */
export async function piecesOf(content: EntryContent | undefined, signal: AbortSignal): Promise<Uint8Array[]> {
  if (content === undefined) return []
  if (content.from === 'bytes') return [content.bytes]
  if (content.from === 'file') return [await readFile(Buffer.from(userToLatin1(content.path), 'latin1'))]
  const pieces: Uint8Array[] = []
  for await (const piece of await content.open({ signal })) pieces.push(piece)
  return pieces
}

export async function bytesOf(entry: SourceEntry, signal: AbortSignal): Promise<Buffer> {
  return Buffer.concat(await piecesOf(entry.content, signal))
}

export async function entriesOf(session: Pick<SourceSession, 'entries'>): Promise<SourceEntry[]> {
  const all: SourceEntry[] = []
  for await (const batch of session.entries()) all.push(...batch)
  return all
}
