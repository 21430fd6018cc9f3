/** Opens segments that were fetched. Bytes may change on their way: what does not open is fetched again. */
import { BackupError, type ErrorCode } from '../../errors.ts'
import { MAX_SEGMENT_RAW_BYTES } from '../../model/pack.ts'
import type { Location } from '../chunks/chunk-index.ts'
import type { Host } from '../threads/rpc.ts'
import type { Vault } from './vault.ts'

/** What the main thread answers to 'range'. */
export interface RangeRequest {
  pack: string
  start: number
  end: number
  /** One segment of pages, lists or facts: worth keeping near. */
  metadata?: boolean
  /** What was given the last time could not be used: it is to come from the target itself. */
  again?: boolean
}

/** Of a segment that comes differently each time. One that comes alike twice is damaged where it lies. */
export const MOST_FETCHES = 4
const DAMAGE: ReadonlySet<ErrorCode> = new Set(['OBJECT_CORRUPT', 'FORMAT_UNSUPPORTED', 'TRANSFORM_UNKNOWN'])

export function isDamage(error: unknown): boolean {
  return BackupError.is(error) && DAMAGE.has(error.code)
}

/** `bytes` are what was given for `request`; the segment begins in them at `at`. @throws BackupError as `openSegment` */
export async function openFetched(
  { vault, host }: { vault: Vault; host: Host },
  location: Location,
  bytes: Uint8Array,
  at: number,
  request: RangeRequest,
): Promise<Uint8Array> {
  let stored = bytes.subarray(at, at + location.storedBytes)
  for (let fetches = 1; ; fetches++) {
    try {
      return openSegment(vault, stored, 0, location)
    } catch (error) {
      if (!isDamage(error) || fetches === MOST_FETCHES) throw error
      const anew = (await host.call('range', { ...request, again: true })) as Uint8Array
      if (Buffer.compare(anew, stored) === 0) throw error
      stored = anew
    }
  }
}

export function openSegment(
  vault: Vault,
  bytes: Uint8Array,
  at: number,
  expected: { pack: string; storedBytes: number; rawBytes: number },
): Uint8Array {
  const { raw, boxBytes } = openIn(vault, bytes, at, expected.pack)
  if (raw.length !== expected.rawBytes || boxBytes !== expected.storedBytes) {
    throw new BackupError('OBJECT_CORRUPT', `A segment of pack ${expected.pack} is not the one the index describes.`, {
      origin: 'repository',
      details: { object: packKey(expected.pack) },
    })
  }
  return raw
}

function openIn(vault: Vault, bytes: Uint8Array, at: number, pack: string): { raw: Uint8Array; boxBytes: number } {
  try {
    return vault.opener.open(bytes, at, { cls: 'content', maxRawBytes: MAX_SEGMENT_RAW_BYTES })
  } catch (error) {
    if (!BackupError.is(error)) throw error
    throw new BackupError(error.code, `${error.message} (pack ${pack})`, {
      origin: error.origin,
      details: { ...error.details, object: packKey(pack) },
      cause: error,
    })
  }
}

export function packKey(name: string): string {
  return `packs/${name.slice(0, 2)}/${name}`
}
