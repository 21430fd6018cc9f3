/** Looked at once more before anything goes: a reading may have failed for another reason, or somebody has put it back. */
import { classOfKey } from '../../repository/keys-layout.ts'
import type { Records } from '../../repository/records.ts'
import { isDamage } from '../../repository/records-listing.ts'
import type { CallSignal } from '../../targets/target.ts'

/** Those of the keys that still cannot be opened. */
export async function stillDamaged(records: Records, keys: readonly string[], options: CallSignal): Promise<string[]> {
  const damaged: string[] = []
  for (const key of keys) {
    try {
      const cls = classOfKey(key)
      const stored = cls && (await records.find(key, options))
      if (stored) records.open(cls, key, stored)
    } catch (error) {
      if (!isDamage(error)) throw error
      damaged.push(key)
    }
  }
  return damaged
}
