/** Buckets with objects in them, and what lies there, for the tests of source and sink. */
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { S3ClientLike } from '../../../src/s3.ts'
import { comparePaths, userToLatin1 } from '../../../src/util/paths.ts'
import type { TestBucket } from '../../servers/s3-bucket.ts'

/** What is newer than this has no fingerprint. */
export const SETTLE_MS = 3200

export async function put(
  { client, name }: TestBucket,
  key: string,
  body: string | Uint8Array,
  more: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  await client.send(new PutObjectCommand({ Bucket: name, Key: key, Body: bytes, ...more }))
}

export async function putMany(bucket: TestBucket, keys: readonly string[]): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) await put(bucket, key, `content of ${key}`)
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}

export async function keysOf({ client, name }: TestBucket): Promise<string[]> {
  const keys: string[] = []
  for (let token: string | undefined, more = true; more; ) {
    const from = token === undefined ? {} : { ContinuationToken: token }
    const page = await client.send(new ListObjectsV2Command({ Bucket: name, ...from }))
    for (const { Key = '' } of page.Contents ?? []) keys.push(Key)
    token = page.NextContinuationToken
    more = page.IsTruncated === true
  }
  return keys
}

/** All that a restore has to bring back. */
export async function objectAt({ client, name }: TestBucket, key: string): Promise<Record<string, unknown>> {
  const at = { Bucket: name, Key: key }
  const found = await client.send(new GetObjectCommand(at))
  const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(at))
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ExpiresString } = found
  const headers = { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ExpiresString }
  const tags = Object.fromEntries(TagSet.map(({ Key = '', Value }) => [Key, Value]))
  const bytes = Buffer.from((await found.Body?.transformToByteArray()) ?? []).toString('base64')
  return { ...headers, metadata: found.Metadata, tags, bytes }
}

export async function openUploads({ client, name }: TestBucket): Promise<number> {
  return (await client.send(new ListMultipartUploadsCommand({ Bucket: name }))).Uploads?.length ?? 0
}

export interface CountingClient extends S3ClientLike {
  /** Names of the commands that were sent, in order. */
  readonly sent: string[]
  /** Called before a command goes; may wait, and may throw. */
  before?: ((name: string, input: Record<string, unknown>) => Promise<void>) | undefined
}

export function counting(client: S3Client): CountingClient {
  const own: CountingClient = {
    sent: [],
    async send(command: { constructor: { name: string }; input: Record<string, unknown> }, options?: object) {
      const name = command.constructor.name.replace(/Command$/, '')
      own.sent.push(name)
      await own.before?.(name, command.input)
      return await client.send(command as never, options)
    },
    destroy: () => {},
  }
  return own
}

export const inPathOrder = (paths: readonly string[]): string[] =>
  paths.toSorted((a, b) => comparePaths(userToLatin1(a), userToLatin1(b)))
