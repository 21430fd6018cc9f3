/** Sends statements of a script as the bytes they are, whatever their encoding. */
import type { PgClient, ProtocolConnection, Submittable } from '../connection.ts'

/** `latin1`: one character a byte. Waits until the server is ready again. */
export async function runBytes(client: PgClient, latin1: string): Promise<void> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is the same in every encoding of a client
  if (/^[\x00-\x7f]*$/.test(latin1)) return void (await client.query(latin1))
  const { default: pg } = await import('pg')
  await new Promise<void>((resolve, reject) => {
    const query = new pg.Query({ text: '' }, (error: Error | null | undefined) => (error ? reject(error) : resolve()))
    const submit = (connection: ProtocolConnection): null => {
      connection.stream.write(queryMessage(Buffer.from(latin1, 'latin1')))
      return null
    }
    client.query(Object.assign(query, { submit }) as unknown as Submittable)
  })
}

/** 'Q', length, text, 0. */
function queryMessage(text: Buffer): Buffer {
  const message = Buffer.alloc(text.length + 6)
  message.write('Q', 0, 'latin1')
  message.writeInt32BE(text.length + 5, 1)
  text.copy(message, 5)
  return message
}

/** Bytes as latin1 to the text they are. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** Text to its bytes as latin1. */
export function encoded(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
