/** What an object has beside its bytes: as facts of its entry, and back as headers of an upload. */
import type { GetObjectCommandOutput, PutObjectCommandInput, Tag } from '@aws-sdk/client-s3'
import type { Json } from '../../errors.ts'
import type { EntryFacts } from '../source.ts'

/** The fact `s3` of each entry that comes from a bucket. */
export interface ObjectFacts {
  readonly etag: string
  readonly contentType?: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
  readonly contentLanguage?: string
  /** As the header has it. */
  readonly expires?: string
  readonly websiteRedirectLocation?: string
  readonly storageClass?: string
  readonly versionId?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly tags?: Readonly<Record<string, string>>
}

type Head = Omit<GetObjectCommandOutput, 'Body'>

export function factsOfHead(head: Head, tags: readonly Tag[]): ObjectFacts {
  const plain = {
    contentType: head.ContentType,
    cacheControl: head.CacheControl,
    contentDisposition: head.ContentDisposition,
    contentEncoding: head.ContentEncoding,
    contentLanguage: head.ContentLanguage,
    expires: head.ExpiresString,
    websiteRedirectLocation: head.WebsiteRedirectLocation,
    storageClass: head.StorageClass,
    versionId: head.VersionId,
  }
  const { Metadata = {} } = head
  return {
    etag: head.ETag ?? '',
    ...Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined && value !== '')),
    ...(Object.keys(Metadata).length > 0 && { metadata: readable(Metadata) }),
    ...(tags.length > 0 && { tags: Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value])) }),
  }
}

/** Node takes headers for latin1, and all who write more than ASCII there write UTF-8. */
function readable(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const read = Object.entries(metadata).map(([name, value]): [string, string] => {
    const text = Buffer.from(value, 'latin1').toString('utf8')
    return [name, text.includes('\ufffd') ? value : text]
  })
  return Object.fromEntries(read.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Undefined for an entry of another kind of source. */
export function objectFacts(facts: EntryFacts): ObjectFacts | undefined {
  const { s3 } = facts
  return typeof s3 === 'object' && s3 !== null && !Array.isArray(s3) ? (s3 as unknown as ObjectFacts) : undefined
}

/** Classes that an upload may name, but that nobody could read at once. */
const ARCHIVES = new Set(['GLACIER', 'DEEP_ARCHIVE'])

export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  | 'ContentType'
  | 'CacheControl'
  | 'ContentDisposition'
  | 'ContentEncoding'
  | 'ContentLanguage'
  | 'Expires'
  | 'WebsiteRedirectLocation'
  | 'StorageClass'
  | 'Metadata'
  | 'Tagging'
>

/** `kept` undefined: an entry of another kind. What is in an archive comes back into the bucket's default class. */
export function headersOf(kept: ObjectFacts | undefined): ObjectHeaders {
  if (kept === undefined) return { ContentType: 'application/octet-stream' }
  const { storageClass, expires, metadata, tags } = kept
  const until = expires === undefined ? Number.NaN : Date.parse(expires)
  const all = {
    ContentType: kept.contentType,
    CacheControl: kept.cacheControl,
    ContentDisposition: kept.contentDisposition,
    ContentEncoding: kept.contentEncoding,
    ContentLanguage: kept.contentLanguage,
    Expires: Number.isNaN(until) ? undefined : new Date(until),
    WebsiteRedirectLocation: kept.websiteRedirectLocation,
    StorageClass: storageClass === undefined || ARCHIVES.has(storageClass) ? undefined : storageClass,
    Metadata: metadata && sendable(metadata),
    Tagging: tags && taggingOf(tags),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** Not as forms write it: not every store takes '+' for a blank. */
function taggingOf(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join('&')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const NOT_ASCII = /[^\x00-\x7f]/

/** Signatures cover ASCII only; the others are written as mail headers have them, which is what S3 asks for. */
function sendable(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const written = Object.entries(metadata).map(([name, value]) => [
    name,
    NOT_ASCII.test(value) ? `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=` : value,
  ])
  return Object.fromEntries(written)
}

/** What of it a HEAD shows, for comparing: all but what each upload has anew. */
export function comparable({ etag: _, versionId: __, tags: ___, storageClass: ____, ...rest }: ObjectFacts): string {
  return JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function asFacts(kept: ObjectFacts): EntryFacts {
  return { s3: kept as unknown as Json }
}
