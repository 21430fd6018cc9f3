import { inspect } from 'node:util'
import { BackupError } from '../errors.ts'
import { derive } from './derive.ts'
import { randomBytes } from './random.ts'
import { decodeSecretBundle, encodeSecretBundle, SECRET_BYTES, type SecretBundle } from './secret-bundle.ts'

/** What a key is for. Split from the first day, so that a writer can one day hold less than a reader. */
export type KeyClass = 'ids' | 'chunking' | 'index' | 'control' | 'content' | 'snapshots'

/** A keyring as plain data for a worker. Its buffers are copies and may be transferred. */
export interface KeyringPlain extends SecretBundle {
  readonly encrypted: boolean
}

const FIRST_EPOCH = 1

/** The keys of one open repository. Never shows a secret when printed, logged or turned into JSON. */
export class Keyring {
  /** False: an unencrypted repository, whose keys are public and protect nothing. */
  readonly encrypted: boolean
  readonly #root: Uint8Array
  readonly #secrets = new Map<number, Uint8Array>()
  readonly #derived = new Map<string, Uint8Array>()

  private constructor({ encrypted, root, epochs }: KeyringPlain) {
    this.encrypted = encrypted
    // Copies; not by slice(), which on a Buffer shares the memory.
    this.#root = new Uint8Array(root)
    for (const { n, secret } of epochs) this.#secrets.set(n, new Uint8Array(secret))
  }

  /** Fresh random secrets, for a new encrypted repository. */
  static create(): Keyring {
    const epochs = [{ n: FIRST_EPOCH, secret: randomBytes(SECRET_BYTES) }]
    return new Keyring({ encrypted: true, root: randomBytes(SECRET_BYTES), epochs })
  }

  /** For an unencrypted repository: keys that anybody can derive from its id, so that ids and cuts still differ by repository. */
  static none(repositoryId: string): Keyring {
    const id = new TextEncoder().encode(repositoryId)
    const root = derive(id, 'holdfast/1/public-root', SECRET_BYTES)
    return new Keyring({
      encrypted: false,
      root,
      epochs: [{ n: 0, secret: derive(id, 'holdfast/1/public-epoch', SECRET_BYTES) }],
    })
  }

  /** From `encode()`. @throws BackupError KEY_SLOT_CORRUPT */
  static decode(bytes: Uint8Array): Keyring {
    return new Keyring({ encrypted: true, ...decodeSecretBundle(bytes) })
  }

  static fromPlain(plain: KeyringPlain): Keyring {
    return new Keyring(plain)
  }

  /** The epoch that new data is sealed under. */
  get newestEpoch(): number {
    return Math.max(...this.#secrets.keys())
  }

  has(epoch: number): boolean {
    return this.#secrets.has(epoch)
  }

  /** Key of the chunk ids; the same in every epoch. */
  get idsKey(): Uint8Array {
    return this.#derive('ids', 'root', this.#root)
  }

  /** Key that the cut points come from; the same in every epoch. */
  get chunkingKey(): Uint8Array {
    return this.#derive('chunking', 'root', this.#root)
  }

  /** Key of a class in an epoch. @throws BackupError OBJECT_CORRUPT: no such epoch */
  classKey(cls: KeyClass, epoch: number): Uint8Array {
    if (cls === 'ids') return this.idsKey
    if (cls === 'chunking') return this.chunkingKey
    const secret = this.#secrets.get(epoch)
    if (secret === undefined) throw unknownEpoch(epoch, this.newestEpoch)
    return this.#derive(cls, String(epoch), secret)
  }

  /** What proves, when the epoch after this one is made, that a holder of this one made it. */
  nextEpochKey(epoch: number): Uint8Array {
    const secret = this.#secrets.get(epoch)
    if (secret === undefined) throw unknownEpoch(epoch, this.newestEpoch)
    return derive(secret, 'holdfast/1/next-epoch', SECRET_BYTES)
  }

  /** The same keys and a new epoch; data of older epochs stays readable. */
  withNewEpoch(secret: Uint8Array = randomBytes(SECRET_BYTES)): Keyring {
    const { epochs, ...rest } = this.toPlain()
    return new Keyring({ ...rest, epochs: [...epochs, { n: this.newestEpoch + 1, secret }] })
  }

  /** Learns the epochs that the other one has beside these: whoever seals with this keyring uses the newest from now on. */
  adopt(other: Keyring): void {
    for (const [n, secret] of other.#secrets) if (!this.#secrets.has(n)) this.#secrets.set(n, new Uint8Array(secret))
  }

  /** All secrets as bytes, to be wrapped in a key slot. */
  encode(): Uint8Array<ArrayBuffer> {
    return encodeSecretBundle(this.toPlain())
  }

  toPlain(): KeyringPlain {
    const epochs = [...this.#secrets].map(([n, secret]) => ({ n, secret: secret.slice() }))
    return { encrypted: this.encrypted, root: this.#root.slice(), epochs: epochs.sort((a, b) => a.n - b.n) }
  }

  toString(): string {
    return `Keyring(${this.encrypted ? 'encrypted' : 'none'}, epoch ${this.newestEpoch})`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }

  #derive(cls: KeyClass, from: string, secret: Uint8Array): Uint8Array {
    const name = `${cls}/${from}`
    const known = this.#derived.get(name)
    if (known !== undefined) return known
    const key = derive(secret, `holdfast/1/${cls}`, SECRET_BYTES)
    this.#derived.set(name, key)
    return key
  }
}

function unknownEpoch(epoch: number, newest: number): BackupError {
  return new BackupError('OBJECT_CORRUPT', `Sealed under key epoch ${epoch}, which this repository does not have`, {
    origin: 'repository',
    details: { reason: 'epoch', epoch, newest },
  })
}
