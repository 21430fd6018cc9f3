/** Pages of a bucket's listing, as rows in the order of the bytes of their keys. */
import type { _Object, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { userToLatin1 } from '../../util/paths.ts'
import type { Bucket, Sdk } from './bucket.ts'

export interface Row {
  /** latin1; with the prefix of the source. */
  readonly key: string
  readonly size: number
  /** As the store writes it, in quotes. */
  readonly etag: string
  readonly modifiedAt: Date | undefined
  /** The store's clock when the listing was made, in ms. */
  readonly listedMs: number
}

export interface ListOptions {
  readonly signal: AbortSignal
  readonly pageSize: number
  /** Added to this machine's clock where the store does not say what time it is. */
  readonly clockOffsetMs: number
}

/** Rows below `prefix` and behind `after`, both latin1. Pages may be empty. */
export type ListRows = (prefix: string, after?: string) => AsyncGenerator<readonly Row[]>

export function rowLister(bucket: Bucket, options: ListOptions): ListRows {
  return (prefix, after) => new RowList(bucket, options, prefix, after).pages()
}

class RowList {
  readonly #bucket: Bucket
  readonly #options: ListOptions
  readonly #prefix: string
  readonly #after: string | undefined
  readonly #tokens = new Set<string>()
  #before = new Set<string>()
  #last = ''

  constructor(bucket: Bucket, options: ListOptions, prefix: string, after: string | undefined) {
    this.#bucket = bucket
    this.#options = options
    this.#prefix = prefix
    this.#after = after
  }

  async *pages(): AsyncGenerator<readonly Row[]> {
    for (let token: string | undefined, more = true; more; ) {
      const { page, listedMs } = await this.#page(token)
      yield this.#rowsOf(page, listedMs)
      more = page.IsTruncated === true
      token = more ? this.#nextToken(page.NextContinuationToken) : undefined
    }
  }

  async #page(token: string | undefined): Promise<{ page: ListObjectsV2CommandOutput; listedMs: number }> {
    const { signal, pageSize, clockOffsetMs } = this.#options
    const [prefix, after] = [text(this.#prefix), this.#after]
    const where =
      token === undefined ? after !== undefined && { StartAfter: text(after) } : { ContinuationToken: token }
    const input = {
      Bucket: this.#bucket.name,
      Prefix: prefix,
      MaxKeys: pageSize,
      EncodingType: 'url' as const,
      ...where,
    }
    let listedMs = Date.now() + clockOffsetMs
    const make = (sdk: Sdk) =>
      withDate(new sdk.ListObjectsV2Command(input), (ms) => {
        listedMs = ms
      })
    const page = await this.#bucket.ask<ListObjectsV2CommandOutput>('list', prefix, make, signal)
    return { page, listedMs }
  }

  #rowsOf({ Contents = [], EncodingType }: ListObjectsV2CommandOutput, listedMs: number): Row[] {
    const rows: Row[] = []
    for (const object of Contents) {
      const row = rowOf(object, EncodingType === 'url', listedMs)
      if (row.key === this.#last || this.#before.has(row.key)) continue
      if (!row.key.startsWith(this.#prefix)) throw this.#strange('with a key that was not asked for')
      // Byte by byte is what S3 promises; only directory buckets do otherwise.
      if (row.key < this.#last) throw this.#strange('that is not in the order of keys')
      this.#last = row.key
      rows.push(row)
    }
    this.#before = new Set(rows.map(({ key }) => key))
    return rows
  }

  /** A store that goes round in circles would be listed for ever. */
  #nextToken(token: string | undefined): string {
    if (token === undefined || token === '') throw this.#strange('that says there is more, but not how to get it')
    if (this.#tokens.has(token)) throw this.#strange('that begins anew')
    this.#tokens.add(token)
    return token
  }

  #strange(what: string): Error {
    return this.#bucket.fail('SOURCE_INCOMPLETE', text(this.#prefix), `the store answers with a listing ${what}`)
  }
}

function text(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

function rowOf({ Key = '', Size = 0, ETag = '', LastModified }: _Object, isEncoded: boolean, listedMs: number): Row {
  return {
    key: isEncoded ? decodeKey(Key) : userToLatin1(Key),
    size: Size,
    etag: ETag,
    modifiedAt: LastModified,
    listedMs,
  }
}

/** Blanks come as '+' or as '%20'; bytes stay bytes. */
export function decodeKey(encoded: string): string {
  if (!/[+%]/.test(encoded)) return userToLatin1(encoded)
  return userToLatin1(encoded.replaceAll('+', ' ')).replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}

interface Stack {
  add(middleware: unknown, options: object): void
}
type Next = (args: unknown) => Promise<{ response?: { headers?: Record<string, string> } }>

/** Tells the `Date` of the answer. */
function withDate<C extends object>(command: C, onDate: (ms: number) => void): C {
  const { middlewareStack } = command as { middlewareStack?: Stack }
  const middleware = (next: Next) => async (args: unknown) => {
    const result = await next(args)
    const ms = Date.parse(result.response?.headers?.date ?? '')
    if (Number.isFinite(ms)) onDate(ms)
    return result
  }
  middlewareStack?.add(middleware, { step: 'deserialize', name: 'holdfast-date' })
  return command
}
