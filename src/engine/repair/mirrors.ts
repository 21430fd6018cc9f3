/** Objects that a mirror still has as they were stored. What it gives is believed only once it has proved itself. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { readConfigs, verifyConfigs } from '../../repository/config-chain.ts'
import { readSlots, slotsOf } from '../../repository/key-slots-open.ts'
import { classOfKey, PREFIX, parseKey } from '../../repository/keys-layout.ts'
import { isDamage } from '../../repository/records-listing.ts'
import type { GetOptions, Target } from '../../targets/target.ts'
import type { EngineContext } from '../types/context.ts'

export class Mirrors {
  private readonly engine: EngineContext
  readonly targets: readonly Target[]
  private readonly signal: AbortSignal
  /** Where each object can be had that is not as it should be in the repository. */
  readonly found = new Map<string, Target>()

  constructor(engine: EngineContext, targets: readonly Target[], signal: AbortSignal) {
    this.engine = engine
    this.targets = targets
    this.signal = signal
  }

  /** True if a mirror has it; from now on it counts as being there. */
  async seek(key: string): Promise<boolean> {
    if (this.found.has(key)) return true
    for (const mirror of this.targets) {
      const bytes = await this.get(mirror, key)
      if (bytes === undefined || !(await this.isSound(mirror, key, bytes))) continue
      this.found.set(key, mirror)
      return true
    }
    return false
  }

  /** The object as it was stored, or undefined where the mirror has lost it by now. */
  async take(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const mirror = this.found.get(key)
    const bytes = mirror && (await this.get(mirror, key))
    return bytes && (await this.isSound(mirror, key, bytes)) ? bytes : undefined
  }

  /** The repository as it will be once all that was found is copied back. For reading packs only. */
  over(target: Target): Target {
    if (this.targets.length === 0) return target
    const get = (key: string, options?: GetOptions): Promise<Uint8Array<ArrayBuffer>> =>
      (this.found.get(key) ?? target).get(key, options)
    return {
      apiVersion: target.apiVersion,
      name: target.name,
      traits: target.traits,
      get,
      put: (key, body, options) => target.put(key, body, options),
      stat: (key, options) => (this.found.get(key) ?? target).stat(key, options),
      list: (prefix, options) => target.list(prefix, options),
      delete: (keys, options) => target.delete(keys, options),
      close: () => target.close(),
    }
  }

  private async get(mirror: Target, key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await mirror.get(key, { signal: this.signal })
    } catch (error) {
      if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
      throw error
    }
  }

  private async isSound(mirror: Target, key: string, bytes: Uint8Array): Promise<boolean> {
    const parsed = parseKey(key)
    if (parsed?.area === 'packs') return sha256Hex(bytes) === parsed.name
    const { records, keyring, repositoryId } = this.engine.repository.repository
    try {
      if (parsed?.area === 'config')
        return verifyConfigs(await this.configs(mirror), keyring).repositoryId === repositoryId
      if (parsed?.area === 'keys') {
        const slots = slotsOf(repositoryId, await readSlots(mirror, [key], this.signal))
        return slots.some((slot) => !('error' in slot))
      }
      const cls = classOfKey(key)
      if (cls === undefined) return false
      records.open(cls, key, bytes)
      return true
    } catch (error) {
      if (isDamage(error) || (BackupError.is(error) && error.code === 'CONFIG_TAMPERED')) return false
      throw error
    }
  }

  private async configs(mirror: Target): Promise<Parameters<typeof verifyConfigs>[0]> {
    const numbers: number[] = []
    for await (const { key } of mirror.list(PREFIX.config, { signal: this.signal })) {
      const parsed = parseKey(key)
      if (parsed?.area === 'config') numbers.push(parsed.n)
    }
    return readConfigs(mirror, numbers, this.signal)
  }
}
