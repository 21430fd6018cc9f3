import { BackupError } from '../errors.ts'
import { aes256gcm } from './aes256gcm.ts'
import { checkTransform } from './chain.ts'
import { gzip } from './gzip.ts'
import type { Transform } from './transform.ts'
import { zstd } from './zstd.ts'

/** Finds the transform that undoes what stored data says was done to it. Options do not matter for that. */
export class TransformRegistry {
  readonly #byId = new Map<string, Transform>()

  /** Knows the built-in ones and those given. @throws BackupError PLUGIN_INCOMPATIBLE */
  constructor(custom: readonly Transform[] = []) {
    for (const transform of [zstd(), gzip(), aes256gcm(), ...custom]) {
      checkTransform(transform)
      this.#byId.set(transform.id, transform)
    }
  }

  /** @throws BackupError TRANSFORM_UNKNOWN */
  get(id: string): Transform {
    const transform = this.#byId.get(id)
    if (transform !== undefined) return transform
    throw new BackupError(
      'TRANSFORM_UNKNOWN',
      `Stored data went through the transform '${id}', which is not known here`,
      {
        origin: 'transform',
        details: { transform: id, known: [...this.#byId.keys()] },
        hint: `Give the engine the transform '${id}' in its option transforms.`,
      },
    )
  }
}
