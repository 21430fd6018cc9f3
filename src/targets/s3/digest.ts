/** The SHA-256 that a bucket keeps of each object. */
import { hex, sha256Aside } from '../../crypto/hash.ts'

/** The metadata that carries it, in lower-case hex. */
export const DIGEST = 'sha256'

export async function digestOf(body: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(await sha256Aside(body))
}

/** Lower-case hex of what a header says in base64; undefined where it is no SHA-256 of one whole object. */
export function hexOf(base64: string | undefined): string | undefined {
  const bytes = Buffer.from(base64 ?? '', 'base64')
  return bytes.length === 32 ? bytes.toString('hex') : undefined
}
