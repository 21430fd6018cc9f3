/** What the target keeps as the checksum of each pack, where its listing does not tell: a request a pack, no download. */
import { packKey } from '../../repository/keys-layout.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { CheckWork } from './check-work.ts'
import { type KnownPack, look } from './inventory.ts'

/** Packs whose checksum is not their name, or that have gone or changed since they were listed. */
export async function compareChecksums(
  { engine, options, findings, signal, progress }: CheckWork,
  packs: Iterable<KnownPack>,
): Promise<Set<KnownPack>> {
  const { target } = engine.repository.repository
  const wrong = new Set<KnownPack>()
  if (target.traits.checksums !== 'sha256') return wrong
  const open = [...packs].filter(({ missing, trouble, compared }) => !missing && !trouble && !compared)
  const compare = async (known: KnownPack, inner: AbortSignal): Promise<void> => {
    const info = await target.stat(packKey(known.name), { signal: inner })
    progress.touch()
    if (info) look(known, info, target)
    else known.trouble = { code: 'OBJECT_MISSING', message: `Pack ${known.name} is listed, but it is not there.` }
    if (!known.trouble) return
    wrong.add(known)
    if (options.snapshots === 'all') findings.add(packKey(known.name), known.trouble)
    else findings.suspect(packKey(known.name), known.trouble)
  }
  for await (const _ of mapBounded(open, target.traits.maxConcurrency, compare, signal));
  return wrong
}
