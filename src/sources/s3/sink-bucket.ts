/** A bucket that is restored into: what is there, under which keys, and what of it is equal to an entry. */
import type { GetBucketVersioningCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError } from '../../errors.ts'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import type { SinkEntry } from '../sink.ts'
import { Bucket, type Sdk } from './bucket.ts'
import { comparable, factsOfHead, objectFacts } from './facts.ts'
import { pathToKey } from './key-path.ts'
import type { S3SinkOptions, S3SinkSettings } from './options.ts'

/** Types of entries that a bucket has nothing for. */
export const NO_OBJECT: ReadonlySet<string> = new Set(['directory', 'symlink', 'fifo', 'socket', 'device'])

const MAX_KEY_BYTES = 1024

export class SinkBucket extends Bucket {
  readonly prefix: string

  constructor({ existing: _, partBytes: __, ...connection }: S3SinkOptions, settings: S3SinkSettings) {
    super('sink', connection, settings, 0)
    this.prefix = settings.prefix
  }

  /** @throws BackupError RESTORE_REJECTED where S3 has no such key */
  keyOf({ path, facts }: SinkEntry): string {
    const latin1 = userToLatin1(path)
    const text = latin1ToUser(objectFacts(facts) ? pathToKey(latin1) : latin1)
    // Keys are Unicode; what is no UTF-8 in a file's name is written as in addresses.
    const plain = text.replace(/[\udc80-\udcff]/gu, (byte) => `%${hexOf(byte)}`)
    const key = this.prefix + plain
    if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return key
    throw this.fail('RESTORE_REJECTED', key, `the key is longer than ${MAX_KEY_BYTES} bytes`)
  }

  async head(key: string, signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    const make = (sdk: Sdk) => new sdk.HeadObjectCommand({ Bucket: this.name, Key: key })
    try {
      return await this.ask<HeadObjectCommandOutput>('look', key, make, signal)
    } catch (error) {
      if (BackupError.is(error) && error.details.status === 404) return undefined
      throw error
    }
  }

  /** Content by ETag, so one that came in parts counts as another where it is uploaded in other parts. */
  isSame(found: HeadObjectCommandOutput, { size, facts }: SinkEntry): boolean {
    const kept = objectFacts(facts)
    if (kept === undefined || found.ContentLength !== size || found.ETag !== kept.etag) return false
    const tags = Object.keys(kept.tags ?? {}).length
    const isTagged = found.TagCount === undefined || found.TagCount === tags
    return isTagged && comparable(factsOfHead(found as never, [])) === comparable(kept)
  }

  /** False where it may not be asked. @throws BackupError RESTORE_NOT_FOUND … where there is no such bucket */
  async isVersioned(signal: AbortSignal): Promise<boolean> {
    const make = (sdk: Sdk) => new sdk.GetBucketVersioningCommand({ Bucket: this.name })
    try {
      const { Status } = await this.ask<GetBucketVersioningCommandOutput>('look', this.prefix, make, signal)
      return Status === 'Enabled'
    } catch (error) {
      if (BackupError.is(error) && error.code === 'RESTORE_DENIED') return false
      throw error
    }
  }
}

function hexOf(byte: string): string {
  return (byte.charCodeAt(0) - 0xdc00).toString(16).toUpperCase()
}
