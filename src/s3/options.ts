/** Options of everything that speaks S3. */
import { z } from 'zod'
import { BackupError } from '../errors.ts'
import { type S3Provider, type S3ProviderPreset, s3Providers } from './providers.ts'

export interface S3Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  /** When they end: a function is asked anew shortly before. */
  expiration?: Date
}

/** An `S3Client` of `@aws-sdk/client-s3`, as far as it is used. */
export interface S3ClientLike {
  // biome-ignore lint/suspicious/noExplicitAny: the client's own generics are not ours to repeat
  send(command: any, options?: any): Promise<any>
  destroy(): void
}

/** Where a bucket is and how to get in. */
export interface S3ConnectionOptions {
  bucket: string
  /** Keys begin with it; a slash at its end is added. Default: the whole bucket. */
  prefix?: string
  /** Default: the provider's; for `aws`, what the environment says (AWS_REGION, the profile). */
  region?: string | undefined
  /** As in 'https://s3.example.com'. Default: the one of AWS or of the provider. */
  endpoint?: string | undefined
  /** The bucket in the path, not in the host name. Default: false for `aws`, true for the others. */
  forcePathStyle?: boolean
  /** Default: `aws` without an endpoint, `generic` with one. */
  provider?: S3Provider
  /** Default: the chain of the AWS SDK (environment, profile, web identity, container or instance role). */
  credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /**
   * A client of your own, instead of region, endpoint and credentials. It is not destroyed by `close`. Give it
   * `maxAttempts: 1`: repeating is the engine's, which knows what may be repeated.
   */
  client?: S3ClientLike
  /** Requests under way at once. Default: the provider's, 8 or 16. */
  maxConcurrency?: number
  /** A request on which no byte moved for so long, either way, has failed. Default 60,000. */
  requestTimeoutMs?: number
  /** Added to the machine's clock in signatures, in ms: for machines whose clock is wrong. */
  systemClockOffset?: number
}

const text = z.string().min(1)
const credentials = z.strictObject({
  accessKeyId: text,
  secretAccessKey: text,
  sessionToken: text.optional(),
  expiration: z.date().optional(),
  // What the SDK writes into credentials that a client of the caller's has used, and its own providers add.
  $source: z.unknown().optional(),
  accountId: z.unknown().optional(),
  credentialScope: z.unknown().optional(),
})

/** For the schemas of whoever else takes a connection. */
export const connectionShape = {
  bucket: z.string().min(1).max(255),
  prefix: z.string().optional(),
  region: text.optional(),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  forcePathStyle: z.boolean().optional(),
  provider: z.enum(Object.keys(s3Providers) as [S3Provider, ...S3Provider[]]).optional(),
  credentials: z.union([credentials, z.function()]).optional(),
  client: z.looseObject({ send: z.function() }).optional(),
  maxConcurrency: z.int().min(1).max(1000).optional(),
  requestTimeoutMs: z.int().min(1).optional(),
  systemClockOffset: z.int().optional(),
}

export interface S3ConnectionSettings {
  /** Of the caller, for messages. */
  readonly of: string
  readonly preset: S3ProviderPreset
  /** '' or ending with '/'. */
  readonly prefix: string
  readonly maxConcurrency: number
}

/** What follows from connection options that a schema has let pass. @throws BackupError INVALID_OPTIONS */
export function settleConnection(of: string, options: S3ConnectionOptions): S3ConnectionSettings {
  noUndefined(of, options)
  const { endpoint, client, prefix = '' } = options
  const provider = options.provider ?? (endpoint === undefined && client === undefined ? 'aws' : 'generic')
  const preset = s3Providers[provider]
  if (client === undefined && endpoint === undefined && preset.endpoint === undefined && provider !== 'aws') {
    throw invalidOption(of, 'endpoint', `must be given for the provider ${provider}`)
  }
  const whole = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return { of, preset, prefix: whole, maxConcurrency: options.maxConcurrency ?? preset.maxConcurrency }
}

/** `rule` completes "option …". */
export function invalidOption(of: string, option: string, rule: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `${of}: ${option} ${rule}`, {
    origin: 'usage',
    details: { of, option, rule },
  })
}

/** Only where the type says so may a key be there and undefined: then an unset variable would mean a default. */
function noUndefined(of: string, options: object): void {
  for (const [option, value] of Object.entries(options)) {
    if (value !== undefined) continue
    throw new BackupError('INVALID_OPTIONS', `${of}: ${option} is undefined`, {
      origin: 'usage',
      details: { of, option },
      hint: 'Check that the variable you take it from is set, or leave the option out.',
    })
  }
}
