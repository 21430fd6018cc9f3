/** A client of the AWS SDK, loaded when it is first used, and the requests that go through it. */
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import PQueue from 'p-queue'
import { BackupError } from '../errors.ts'
import { race, throwIfAborted } from '../util/abort.ts'
import { CredentialsFailure, nameOf, type S3Call, s3Error } from './errors.ts'
import type { S3ClientLike, S3ConnectionOptions, S3ConnectionSettings, S3Credentials } from './options.ts'

type Sdk = typeof import('@aws-sdk/client-s3')
/** Structural, since the types of commands differ in each. */
interface Command {
  readonly input: unknown
}

const CONNECT_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 60_000
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])
/** Of keys that were good before: somebody has taken them back, and a function has others by now. */
const REVOKED = new Set(['InvalidAccessKeyId', 'InvalidToken'])

export class S3Connection {
  readonly bucket: string
  readonly settings: S3ConnectionSettings
  readonly #options: S3ConnectionOptions
  readonly #queue: PQueue
  readonly #secrets = new Set<string>()
  readonly #failedBy = new WeakMap<Error, S3ClientLike>()
  /** Clients whose credentials the store has taken at least once. */
  readonly #accepted = new WeakSet<S3ClientLike>()
  #sdk: Promise<Sdk> | undefined
  #client: S3ClientLike | undefined

  constructor(options: S3ConnectionOptions, settings: S3ConnectionSettings) {
    this.bucket = options.bucket
    this.settings = settings
    this.#options = options
    this.#queue = new PQueue({ concurrency: settings.maxConcurrency })
  }

  /** Whether all that it gives comes from a client made here: one that was given may keep what it hands out. */
  get isOwn(): boolean {
    return this.#options.client === undefined
  }

  /**
   * Makes a command and sends it, as soon as fewer than `maxConcurrency` are under way. With `use`, the request counts
   * until that has ended: a body is still coming when the answer is there. Rejects with what the SDK throws.
   */
  async send<T>(make: (sdk: Sdk) => Command, signal: AbortSignal | undefined): Promise<T>
  async send<T, U>(
    make: (sdk: Sdk) => Command,
    signal: AbortSignal | undefined,
    use: (output: T) => Promise<U>,
  ): Promise<U>
  async send(
    make: (sdk: Sdk) => Command,
    signal: AbortSignal | undefined,
    use: (output: unknown) => Promise<unknown> = async (output) => output,
  ): Promise<unknown> {
    throwIfAborted(signal)
    const sdk = await this.#load()
    const sent = this.#queue.add(async () => {
      throwIfAborted(signal)
      return await this.#sendWith(this.#clientOf(sdk), make(sdk), signal, use)
    })
    return await race(sent, signal)
  }

  async #sendWith(
    client: S3ClientLike,
    command: Command,
    signal: AbortSignal | undefined,
    use: (output: unknown) => Promise<unknown>,
  ): Promise<unknown> {
    try {
      const output = await client.send(command, signal === undefined ? {} : { abortSignal: signal })
      this.#accepted.add(client)
      return await use(output)
    } catch (error) {
      if (error instanceof Error) this.#failedBy.set(error, client)
      throw error
    }
  }

  /** For `catch`: makes the BackupError, and sees to it that credentials that have ended are not used again. */
  errorOf(error: unknown, call: Omit<S3Call, 'bucket' | 'renewable' | 'isRevoked' | 'secrets'>): BackupError {
    const { client, credentials } = this.#options
    const renewable = client === undefined && typeof credentials !== 'object'
    const failed = this.#failedBy.get(error as Error)
    const isRevoked =
      typeof credentials === 'function' &&
      REVOKED.has(nameOf(error) ?? '') &&
      failed !== undefined &&
      this.#accepted.has(failed)
    const hasEnded = isRevoked || (renewable && EXPIRED.has(nameOf(error) ?? ''))
    // Others that failed with the same ones come later.
    if (hasEnded && failed === this.#client) this.#forgetClient()
    return s3Error(error, { ...call, bucket: this.bucket, renewable, isRevoked, secrets: [...this.#secrets] })
  }

  /** Ends its connections once nothing is under way. A call that comes later opens new ones. */
  async close(): Promise<void> {
    await this.#queue.onIdle()
    this.#forgetClient()
  }

  async #load(): Promise<Sdk> {
    this.#sdk ??= loadSdk()
    return await this.#sdk
  }

  #clientOf(sdk: Sdk): S3ClientLike {
    if (this.#options.client !== undefined) return this.#options.client
    this.#client ??= new sdk.S3Client(this.#config()) as S3ClientLike
    return this.#client
  }

  /** The old one is not destroyed while requests of it may be under way: its idle connections end by themselves. */
  #forgetClient(): void {
    const client = this.#client
    this.#client = undefined
    if (client !== undefined) void this.#queue.onIdle().then(() => client.destroy())
  }

  #config(): S3ClientConfig {
    const { region, endpoint, forcePathStyle, requestTimeoutMs, systemClockOffset } = this.#options
    const { preset } = this.settings
    const where = region ?? preset.region
    const at = endpoint ?? preset.endpoint
    const credentials = this.#credentials()
    return {
      ...(where !== undefined && { region: where }),
      ...(at !== undefined && { endpoint: at }),
      ...(credentials !== undefined && { credentials }),
      forcePathStyle: forcePathStyle ?? preset.forcePathStyle,
      // Repeating is decided by those who know what may be repeated.
      maxAttempts: 1,
      ...(systemClockOffset !== undefined && { systemClockOffset }),
      // Trailers with checksums of the SDK's choice break several stores; a SHA-256 is sent in another way.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // With it, the SDK opens a connection of its own for each large put, and waits a round trip before it sends the body.
      expectContinueHeader: false,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        socketTimeout: requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
        // The queue above is the limit: waiting here would count as connecting.
        httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
        httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      },
    }
  }

  #credentials(): S3Credentials | (() => Promise<S3Credentials>) | undefined {
    const given = this.#options.credentials
    if (given === undefined) return undefined
    if (typeof given !== 'function') return this.#remember(given)
    return async () => {
      try {
        return this.#remember(await given())
      } catch (error) {
        throw new CredentialsFailure(error instanceof Error ? error.message : String(error))
      }
    }
  }

  #remember(credentials: S3Credentials): S3Credentials {
    this.#secrets.add(credentials.secretAccessKey)
    if (credentials.sessionToken !== undefined) this.#secrets.add(credentials.sessionToken)
    // The SDK writes into what it gets.
    return { ...credentials }
  }
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (cause) {
    throw new BackupError('PEER_MISSING', "S3 needs the package '@aws-sdk/client-s3'", {
      origin: 'usage',
      hint: 'npm install @aws-sdk/client-s3',
      details: { package: '@aws-sdk/client-s3' },
      cause,
    })
  }
}
