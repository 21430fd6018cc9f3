/** One COPY FROM STDIN, fed from the repository. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BackupError } from '../../../errors.ts'
import type { PgClient, Submittable } from '../connection.ts'

/** A message a chunk costs the server and the network more than the copy into a larger one. Measured: 256 KiB is enough. */
const MESSAGE_BYTES = 256 * 1024

interface CopyStream extends NodeJS.WritableStream, Submittable {
  readonly rowCount: number
}

/** @returns how many rows the server has stored. */
export async function copyIn(client: PgClient, sql: string, content: AsyncIterable<Uint8Array>): Promise<number> {
  const { from } = await loadCopyStreams()
  const stream = client.query(from(sql, { highWaterMark: 2 * MESSAGE_BYTES }) as unknown as CopyStream)
  await pipeline(Readable.from(joined(content), { objectMode: true, highWaterMark: 2 }), stream)
  return stream.rowCount
}

async function* joined(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let waiting: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of content) {
    waiting.push(chunk)
    bytes += chunk.length
    if (bytes < MESSAGE_BYTES) continue
    yield Buffer.concat(waiting, bytes)
    waiting = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes)
}

async function loadCopyStreams(): Promise<typeof import('pg-copy-streams')> {
  try {
    return await import('pg-copy-streams')
  } catch (cause) {
    throw new BackupError('PEER_MISSING', "Postgres needs the package 'pg-copy-streams'", {
      origin: 'usage',
      hint: 'npm install pg pg-copy-streams',
      details: { package: 'pg-copy-streams' },
      cause,
    })
  }
}

/** One COPY TO STDOUT, as the bytes that come. */
export async function copyOut(client: PgClient, sql: string): Promise<AsyncIterable<Buffer>> {
  const { to } = await loadCopyStreams()
  return client.query(to(sql) as unknown as Submittable & AsyncIterable<Buffer>)
}
