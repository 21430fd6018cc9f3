/** Key slots as users see them. */
import { readableSlots } from '../../repository/keys/find-slots.ts'
import type { RepositoryKeys } from '../../repository/keys/repository-keys.ts'
import type { KeySlot } from '../types/keys.ts'

/** Oldest first. What cannot be read is left out. */
export async function keySlots(keys: RepositoryKeys, signal?: AbortSignal): Promise<KeySlot[]> {
  const slots = await readableSlots(keys, signal)
  return [...slots].map(([id, header]) => ({
    id,
    kind: header.kind,
    label: header.label,
    createdAt: header.createdAt,
    ...(header.kind === 'provider' && { provider: header.provider }),
    current: id === keys.holder?.slot,
  }))
}
