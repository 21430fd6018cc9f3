export type { S3ClientLike, S3ConnectionOptions, S3Credentials, S3Options, S3UploadProgress } from './options.ts'
export { type S3Provider, type S3ProviderPreset, s3Providers } from './providers.ts'
export { s3Target } from './s3-target.ts'
