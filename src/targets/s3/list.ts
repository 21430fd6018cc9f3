/** All pages of a listing, each key once. */
import type { _Object, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { isKey } from '../checks.ts'
import type { CallSignal, ObjectInfo } from '../target.ts'
import type { Place } from './s3-target.ts'

export async function* listObjects(place: Place, prefix: string, { signal }: CallSignal): AsyncGenerator<ObjectInfo> {
  const whole = place.settings.prefix + prefix
  const tokens = new Set<string>()
  let before = new Set<string>()
  for (let token: string | undefined, more = true; more; ) {
    const page = await pageAt(place, whole, token, signal)
    if (!isListing(page)) throw strange('that is none', whole)
    place.seen = true
    const rows = new Set<string>()
    for (const row of page.Contents ?? []) {
      const info = infoOf(place, row, whole)
      if (info === undefined || before.has(info.key) || rows.has(info.key)) continue
      rows.add(info.key)
      yield info
      throwIfAborted(signal)
    }
    before = rows
    more = page.IsTruncated === true
    token = more ? nextToken(page, tokens, whole) : undefined
  }
}

async function pageAt(
  { connection }: Place,
  Prefix: string,
  token: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ListObjectsV2CommandOutput> {
  const from = token === undefined ? {} : { ContinuationToken: token }
  try {
    return await connection.send(
      (sdk) => new sdk.ListObjectsV2Command({ Bucket: connection.bucket, Prefix, ...from }),
      signal,
    )
  } catch (error) {
    throw connection.errorOf(error, { operation: 'list', key: Prefix, signal })
  }
}

/** Undefined for what is no object of ours: the empty "folders" that consoles make. */
function infoOf(place: Place, row: _Object, prefix: string): ObjectInfo | undefined {
  const { Key = '', Size = 0, LastModified } = row
  if (!Key.startsWith(prefix))
    throw strange(`with ${JSON.stringify(Key.slice(0, 200))}, which was not asked for`, prefix)
  const key = Key.slice(place.settings.prefix.length)
  if (!isKey(key)) return undefined
  return { key, size: Size, ...(LastModified && { modifiedAt: LastModified }) }
}

/** Whatever else is XML the SDK takes for a listing of nothing. */
function isListing({ IsTruncated, KeyCount, Name, Prefix }: ListObjectsV2CommandOutput): boolean {
  return [IsTruncated, KeyCount, Name, Prefix].some((said) => said !== undefined)
}

/** A store that goes round in circles would be listed for ever. */
function nextToken(page: ListObjectsV2CommandOutput, seen: Set<string>, prefix: string): string {
  const token = page.NextContinuationToken
  if (token === undefined || token === '') throw strange('that says there is more, but not how to get it', prefix)
  if (seen.has(token)) throw strange('that begins anew', prefix)
  seen.add(token)
  return token
}

function strange(what: string, prefix: string): BackupError {
  return new BackupError('TARGET_PROTOCOL', `the store answers with a listing of ${prefix} ${what}`, {
    origin: 'target',
    retryable: true,
    details: { operation: 'list', key: prefix },
  })
}
