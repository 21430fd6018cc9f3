/** Objects that a mirror still has as they were stored. What it gives is believed only once it has proved itself. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { type GcDone, gcDoneRecord } from '../../model/gc.ts'
import { MAX_SNAPSHOT_BYTES } from '../../model/snapshot.ts'
import { decodeSnapshotObject } from '../../model/tombstone.ts'
import { readConfigs, verifyConfigs } from '../../repository/config-chain.ts'
import { readSlots, slotIdOf, slotsOf } from '../../repository/key-slots-open.ts'
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
    let tombstone: Target | undefined
    for (const mirror of this.targets) {
      const bytes = await this.get(mirror, key)
      if (bytes === undefined || !(await this.isSound(mirror, key, bytes))) continue
      if (this.isTombstone(key, bytes)) {
        tombstone ??= mirror
        continue
      }
      this.found.set(key, mirror)
      return true
    }
    // What one mirror has forgotten another may still have.
    if (tombstone) this.found.set(key, tombstone)
    return tombstone !== undefined
  }

  private isTombstone(key: string, bytes: Uint8Array): boolean {
    if (parseKey(key)?.area !== 'snapshots') return false
    const { records } = this.engine.repository.repository
    return 'tombstone' in decodeSnapshotObject(records.open('snapshots', key, bytes, MAX_SNAPSHOT_BYTES), key)
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
        // The config says which bytes are the slot's: what nobody can open is no key, and what was taken away stays away.
        const named = this.engine.repository.repository.keys.slots[slotIdOf(key)]
        return slots.some((slot) => !('error' in slot) && slot.hash === named?.hash)
      }
      const cls = classOfKey(key)
      if (cls === undefined) return false
      const raw = records.open(cls, key, bytes)
      return parsed?.area === 'gc' && parsed.done ? await this.isOwnOutcome(gcDoneRecord.decode(raw, key)) : true
    } catch (error) {
      if (isDamage(error) || (BackupError.is(error) && error.code === 'CONFIG_TAMPERED')) return false
      throw error
    }
  }

  /**
   * A mirror that is pruned on its own has outcomes of the same numbers, and names packs dead that are needed here. Nothing is
   * lost by one of which no pack is there. A stub says nothing.
   */
  private async isOwnOutcome({ outcome, dead }: GcDone): Promise<boolean> {
    if (outcome === 'stub') return false
    const named = new Set(dead)
    const { target } = this.engine.repository.repository
    for await (const { key } of target.list(PREFIX.packs, { signal: this.signal })) {
      const parsed = parseKey(key)
      if (parsed?.area === 'packs' && named.has(parsed.name)) return false
    }
    return true
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
