/** What `holdfast/s3` gives: buckets as targets, sources and sinks. */
export type { S3ClientLike, S3ConnectionOptions, S3Credentials } from './s3/options.ts'
export { type S3Provider, type S3ProviderPreset, s3Providers } from './s3/providers.ts'
export type { S3SinkOptions, S3SourceOptions } from './sources/s3/options.ts'
export { s3Sink } from './sources/s3/s3-sink.ts'
export { s3Source } from './sources/s3/s3-source.ts'
export type { S3Options, S3UploadProgress } from './targets/s3/options.ts'
export { s3Target } from './targets/s3/s3-target.ts'
