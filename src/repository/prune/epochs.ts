/** Which packs are sealed under keys of an older epoch than new data is. */
import { BackupError } from '../../errors.ts'
import { decodeBoxHeader, MAX_BOX_HEADER_BYTES, MAX_WRAP_DATA_BYTES } from '../../model/box.ts'
import { PACK_HEADER_BYTES } from '../../model/pack.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { readPack } from '../pack-bytes.ts'
import { type ContentsOptions, currentVault, type KnownPack } from './contents.ts'

/** Of a header as this version writes them. */
const HEAD_BYTES = MAX_BOX_HEADER_BYTES - MAX_WRAP_DATA_BYTES

/**
 * By name. The first segment says it for the whole pack: a pack is filled under one epoch, and copies of older segments
 * are sealed anew.
 */
export async function packsOfOldEpochs(
  packs: Iterable<KnownPack>,
  { target, signal, ...keys }: ContentsOptions,
): Promise<Set<string>> {
  const vault = await currentVault(keys)
  const newest = Math.max(...vault.keyring.epochs.map(({ n }) => n))
  const look = async ({ name, bytes }: KnownPack): Promise<string | undefined> => {
    const range = { start: PACK_HEADER_BYTES, end: Math.min(bytes, PACK_HEADER_BYTES + HEAD_BYTES) }
    const head = await readPack(target, name, { range, signal })
    return epochOf(head) < newest ? name : undefined
  }
  const old = new Set<string>()
  for await (const name of mapBounded([...packs], target.traits.maxConcurrency, look, signal)) {
    if (name !== undefined) old.add(name)
  }
  return old
}

/** One that is damaged counts as old: to copy it says what is wrong with it, and keeps it. */
function epochOf(head: Uint8Array): number {
  try {
    return decodeBoxHeader(head, 0).header.epoch
  } catch (error) {
    if (BackupError.is(error)) return 0
    throw error
  }
}
