import type { Source } from '../source.ts'
import { type S3SourceOptions, settleSource } from './options.ts'
import { s3Sink } from './s3-sink.ts'
import { S3Session } from './session.ts'

/**
 * The objects of a bucket below a prefix as a source: uploads of applications that keep them in S3. Each object is an entry
 * of type `file` under its key, with its headers, metadata and tags as the fact `s3`. An unchanged one (ETag, size and
 * time) is not read again. Of a bucket with versions the current ones are taken. Needs the package `@aws-sdk/client-s3`.
 *
 * One that is replaced between listing and reading is taken as it then is; one that is deleted meanwhile is left out, with
 * the warning ENTRY_CHANGED_WHILE_READ. One that may not be read, such as one in an archive, ends the run with
 * SOURCE_DENIED, or with `onEntryError: 'skip'` is left out with a warning.
 * @throws BackupError INVALID_OPTIONS; its `open()`: PEER_MISSING, SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE
 */
export function s3Source(options: S3SourceOptions): Source {
  const settings = settleSource(options)
  const { name, include: _, exclude: __, listPageSize: ___, ...connection } = options
  return {
    apiVersion: 1,
    name,
    kind: 's3',
    open: (context) => S3Session.open(options, settings, context),
    sink: () => s3Sink({ ...connection, existing: 'replace' }),
  }
}
