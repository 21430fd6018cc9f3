export type { S3ClientLike, S3ConnectionOptions, S3Credentials } from '../../s3/options.ts'
export { type S3Provider, type S3ProviderPreset, s3Providers } from '../../s3/providers.ts'
export type { S3Options, S3UploadProgress } from './options.ts'
export { s3Target } from './s3-target.ts'
