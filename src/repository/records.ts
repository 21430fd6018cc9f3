/** Sealed records by key: every object but packs, configs and key slots goes in and out here. */
import type { KeyClass } from '../crypto/keyring.ts'
import { BackupError, type ErrorCode } from '../errors.ts'
import { decodeBoxHeader, WRAP } from '../model/box.ts'
import type { CallSignal, PutOptions, Target } from '../targets/target.ts'
import { race } from '../util/abort.ts'
import type { Opener, Sealer } from '../workers/segments/box.ts'

/** No record is larger, unless its reader says less. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024
/** Below this, compression gains nothing worth having. */
const MIN_COMPRESSED_BYTES = 1024

export interface GetRecordOptions extends CallSignal {
  /** Refuse more than this before anything is decoded. Default 64 MiB. */
  maxRawBytes?: number
}

/**
 * A record is bound to its key: what was put under one key is refused under any other. Missing: OBJECT_MISSING; anything
 * wrong with its bytes: OBJECT_CORRUPT; newer: FORMAT_UNSUPPORTED. Failures of the target pass through.
 */
export class Records {
  readonly target: Target
  readonly #sealer: Sealer
  readonly #opener: Opener
  readonly #keys: NewKeys | undefined
  /** Under way for several readings at once. */
  #learning: Promise<boolean> | undefined

  /** `keys`: where the keys of a new epoch are learned. Without, what is sealed under one cannot be read. */
  constructor(target: Target, sealer: Sealer, opener: Opener, keys?: NewKeys) {
    this.target = target
    this.#sealer = sealer
    this.#opener = opener
    this.#keys = keys
  }

  /** The same keys, by way of another target: one that repeats what failed, say. */
  through(target: Target): Records {
    return new Records(target, this.#sealer, this.#opener, this.#keys)
  }

  /** Resolves false, and changes nothing, if `ifAbsent` is set and the key exists. */
  put(cls: KeyClass, key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    return this.target.put(key, this.seal(cls, key, bytes), options)
  }

  async get(cls: KeyClass, key: string, options: GetRecordOptions = {}): Promise<Uint8Array> {
    return this.open(cls, key, await this.getStored(key, options), options.maxRawBytes)
  }

  /** Learns of a rotation that somebody else has made. True if there was anything new. */
  async refreshKeys(signal?: AbortSignal): Promise<boolean> {
    return (await this.#keys?.refresh(signal)) ?? false
  }

  /**
   * The stored bytes as they are; OBJECT_MISSING where there are none. Whoever opens them has their keys: of an epoch that
   * was not known the new configs are read.
   */
  async getStored(key: string, { signal }: CallSignal = {}): Promise<Uint8Array<ArrayBuffer>> {
    const stored = await this.#fetch(key, signal)
    const epoch = this.#keys === undefined ? undefined : epochOfBox(stored)
    if (epoch !== undefined && !this.#keys!.knows(epoch)) await race(this.#learn(), signal)
    return stored
  }

  /** Once for all readings that need it now, so that nobody's abort ends it for the others. */
  #learn(): Promise<boolean> {
    if (this.#learning === undefined) {
      this.#learning = this.refreshKeys().finally(() => {
        this.#learning = undefined
      })
      this.#learning.catch(() => {})
    }
    return this.#learning
  }

  async #fetch(key: string, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await this.target.get(key, { signal })
    } catch (error) {
      if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') throw missing(key, error)
      throw error
    }
  }

  /** Sealing draws new randomness each time: to put the same object again, keep these bytes. */
  seal(cls: KeyClass, key: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#sealer.seal(cls, bytes, { bind: key, compress: worthCompressing(cls, bytes) })
  }

  open(cls: KeyClass, key: string, stored: Uint8Array, maxRawBytes = MAX_RECORD_BYTES): Uint8Array {
    try {
      return this.#opener.open(stored, 0, { cls, bind: key, maxRawBytes, whole: true }).raw
    } catch (error) {
      throw BackupError.is(error) ? named(key, error) : error
    }
  }

  /**
   * Creates an object of already sealed bytes. `own`: it was there, with these very bytes (the reply to an earlier
   * attempt was lost). `exists`: somebody else's, or gone again when looked at.
   */
  async create(
    key: string,
    sealed: Uint8Array<ArrayBuffer>,
    options: CallSignal = {},
  ): Promise<'created' | 'own' | 'exists'> {
    if (await this.target.put(key, sealed, { ifAbsent: true, signal: options.signal })) return 'created'
    const there = await this.find(key, options)
    return there !== undefined && sameBytes(there, sealed) ? 'own' : 'exists'
  }

  /** The stored bytes, or undefined where there are none. */
  async find(key: string, options: CallSignal = {}): Promise<Uint8Array | undefined> {
    try {
      return await this.getStored(key, options)
    } catch (error) {
      if (BackupError.is(error) && error.code === 'OBJECT_MISSING') return undefined
      throw error
    }
  }
}

interface NewKeys {
  knows(epoch: number): boolean
  refresh(signal?: AbortSignal): Promise<boolean>
}

/** Undefined for what is no sealed box. */
function epochOfBox(stored: Uint8Array): number | undefined {
  try {
    const { header } = decodeBoxHeader(stored, 0)
    return header.wrapType === WRAP.epoch ? header.epoch : undefined
  } catch (error) {
    if (BackupError.is(error)) return undefined
    throw error
  }
}

/** Sealed under an epoch that is not known here: perhaps one that was begun since the keys were read. */
export function isNewEpoch(error: unknown): boolean {
  return BackupError.is(error) && error.details.reason === 'epoch'
}

const REFUSED: ReadonlySet<ErrorCode> = new Set([
  'TARGET_AUTH',
  'TARGET_DENIED',
  'TARGET_FULL',
  'TARGET_NOT_FOUND',
  'INVALID_OPTIONS',
])

/** True if the target has answered that it did nothing. Any other failure of a put leaves open whether it happened. */
export function certainlyRefused(error: unknown): boolean {
  return BackupError.is(error) && REFUSED.has(error.code)
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/**
 * Snapshots are never compressed: a tombstone in a snapshot's place is then always shorter, so that a listing alone shows
 * that something changed.
 */
function worthCompressing(cls: KeyClass, bytes: Uint8Array): boolean {
  return cls !== 'snapshots' && bytes.length >= MIN_COMPRESSED_BYTES
}

function missing(key: string, cause: unknown): BackupError {
  return new BackupError('OBJECT_MISSING', `the repository has no object ${key}`, {
    origin: 'repository',
    details: { key },
    hint: 'Run verify to learn what it affects, and restore the object from a copy of the repository if there is one.',
    cause,
  })
}

/** The same error, saying which object it is about. */
function named(key: string, error: BackupError): BackupError {
  const { code, origin, message, details, hint } = error
  return new BackupError(code, `${key}: ${message}`, {
    origin,
    details: { ...details, key },
    hint: hint ?? 'Run verify to learn what it affects, and restore the object from a copy of the repository.',
    cause: error,
  })
}
